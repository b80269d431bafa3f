#include "core/storage/missing_path.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "core/unicode/unicode.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

bool leads_to_something(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

bool has_braces(std::string_view text) {
  const std::size_t open = text.find('{');
  const std::size_t close = text.find('}', std::min(open, text.size()));
  if (close == text.npos) return false;
  const std::string_view within = text.substr(open, close - open);
  return within.find("..") != within.npos || within.find(',') != within.npos;
}

}  // namespace

std::string missing_path_hint(const fs::path& path) {
  const std::string text = path.string();
  if (has_braces(text)) {
    return "; braces are expanded by the shell, where no quotes are around them: {000..009}.tar";
  }
  if (text.find_first_of("*?[") != text.npos) {
    return "; wildcards are expanded by the shell, where no quotes are around them and there are "
           "such files";
  }
  for (const std::string& other : {composed(text), decomposed(text)}) {
    if (other != text && leads_to_something(other)) return kOtherForm;
  }
  return "";
}

std::string missing_weights_hint(const fs::path& path) {
  const bool is_owner_and_name =
      path.is_relative() && std::distance(path.begin(), path.end()) == 2 && *path.begin() != "." &&
      *path.begin() != ".." && !leads_to_something(*path.begin());
  if (!is_owner_and_name) return missing_path_hint(path);
  return "; nothing is downloaded: fetch a repository of Hugging Face first";
}

}  // namespace edt
