// Typed exceptions. Every message reads "[where] what", and "what" names both values.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace edt {

class Error : public std::runtime_error {
 public:
  Error(std::string_view where, std::string_view what);
};

// Wrong command line, configuration or combination of options.
class UsageError : public Error {
  using Error::Error;
};

// A data set, shard or imported file that is missing, damaged or does not fit.
class DataError : public Error {
  using Error::Error;
};

// A checkpoint that is missing, damaged or belongs to another model.
class CheckpointError : public Error {
  using Error::Error;
};

// NaN or infinity where a finite number is needed.
class NumericError : public Error {
  using Error::Error;
};

// The operating system refused: full disk, no permission.
class SystemError : public Error {
  using Error::Error;
};

// A GPU, its driver or one of its libraries refused.
class CudaError : public Error {
  using Error::Error;
};

// The chosen backend lacks this operation or data type.
class NotImplemented : public Error {
  using Error::Error;
};

// Throws E("[where] formatted message").
template <class E = Error, class... Args>
[[noreturn]] void fail(std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  throw E(where, fmt::format(format, std::forward<Args>(args)...));
}

// Throws E unless `ok`; the arguments are evaluated in either case, so none may need that it fails.
template <class E = Error, class... Args>
void require(bool ok, std::string_view where, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) fail<E>(where, format, std::forward<Args>(args)...);
}

}  // namespace edt
