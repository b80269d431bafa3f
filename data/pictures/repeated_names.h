// Finds names that stand twice in what is read twice anyway, or once more where that is in doubt.
// Of each name 8 bytes are held: lists and archives may be longer than memory.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace edt::data {

class RepeatedNames {
 public:
  // First all names,
  void add(std::string_view name);
  // then whether any may stand twice. Where not, that is the end.
  bool may_repeat();
  // Then all names again: whether this one has been here since.
  bool is_repeated(const std::string& name);

 private:
  std::vector<std::uint64_t> keys_;
  std::set<std::uint64_t> doubtful_;
  std::set<std::string> seen_;  // of the doubtful ones
};

}  // namespace edt::data
