// Errors in what an option names: the line says which option that was, and what is read there.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"

namespace edt {

// What an error says behind its "[where] ".
inline std::string_view reason_of(const Error& error) {
  const std::string_view text = error.what();
  return text.substr(text.find("] ") + 2);
}

// Runs `read`; a DataError in it becomes one that names the option and its value, a file, and says
// what is read.
template <class Read>
auto named_by(std::string_view option, const std::string& file, std::string_view what_is_read,
              Read read) {
  try {
    return read();
  } catch (const DataError& error) {
    std::string_view reason = reason_of(error);
    if (reason.starts_with(file + ": ")) reason.remove_prefix(file.size() + 2);
    fail<DataError>("options", "{} {}: {}; {}", option, file, reason, what_is_read);
  }
}

}  // namespace edt
