#include "parallel/checkpoint/tensor_names.h"

#include <algorithm>
#include <map>
#include <set>

namespace edt {
namespace {

std::set<std::string, std::less<>> names_of(const TensorNames& names,
                                            const std::vector<bool>& is_needed) {
  std::set<std::string, std::less<>> all;
  for (std::size_t i = 0; i < names.tensors.size(); ++i) {
    if (!is_needed[i]) continue;
    for (std::string& name : all_names(names.tensors[i])) all.insert(std::move(name));
  }
  return all;
}

// What stands before the longest of the names that `entry` ends with, from the beginning or behind
// a dot; nothing: it ends with none.
std::optional<std::string> prefix_of(std::string_view entry,
                                     const std::set<std::string, std::less<>>& names) {
  for (std::size_t begin = 0;; ++begin) {
    if (names.contains(entry.substr(begin))) return std::string(entry.substr(0, begin));
    begin = entry.find('.', begin);
    if (begin == entry.npos) return std::nullopt;
  }
}

}  // namespace

std::vector<std::string> all_names(const NamedTensor& tensor) {
  std::vector<std::string> all = tensor.parts;
  for (const auto& copy : tensor.copies) all.insert(all.end(), copy.begin(), copy.end());
  return all;
}

TensorNames published_names(std::span<const LogicalTensor> tensors) {
  TensorNames names{.scheme = "published", .tensors = {}};
  for (const LogicalTensor& tensor : tensors) names.tensors.push_back({.parts = {tensor.name}});
  return names;
}

std::vector<NamesFound> find_names(const SafetensorsReader& file,
                                   std::span<const TensorNames> schemes,
                                   const std::vector<bool>& is_needed) {
  std::vector<NamesFound> found;
  for (std::size_t s = 0; s < schemes.size(); ++s) {
    const auto names = names_of(schemes[s], is_needed);
    std::map<std::string, std::size_t> counts;
    for (const SafetensorsEntry& entry : file.entries()) {
      if (const auto prefix = prefix_of(entry.name, names)) ++counts[*prefix];
    }
    for (const auto& [prefix, count] : counts) {
      if (2 * count >= names.size()) found.push_back({s, prefix, count, count == names.size()});
    }
  }
  std::ranges::stable_sort(found, [](const NamesFound& a, const NamesFound& b) {
    return std::pair(a.complete, a.count) > std::pair(b.complete, b.count);
  });
  return found;
}

}  // namespace edt
