// Names of options, and lists of words.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace edt {

// "align.latent" of "align.latent.after", "" of "config".
inline std::string section_of(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == name.npos ? "" : std::string(name.substr(0, dot));
}

// Without the first section: "latent.after" of "align.latent.after".
inline std::string_view key_of(std::string_view name) { return name.substr(name.find('.') + 1); }

inline bool contains(std::span<const std::string> words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace edt
