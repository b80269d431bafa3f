#include "launcher/train/agreement.h"

#include <sstream>

#include "core/base/error.h"

namespace edt {
namespace {

// The first line in which the texts differ, as both say it, after the section it stands in; empty
// when they are equal.
std::pair<std::string, std::string> first_difference(const std::string& a, const std::string& b) {
  std::istringstream lines_a(a), lines_b(b);
  std::string line_a, line_b, section;
  while (true) {
    const bool more_a = static_cast<bool>(std::getline(lines_a, line_a));
    const bool more_b = static_cast<bool>(std::getline(lines_b, line_b));
    if (!more_a && !more_b) return {};
    if (!more_a) line_a = "nothing";
    if (!more_b) line_b = "nothing";
    if (line_a != line_b) return {section + line_a, section + line_b};
    if (line_a.starts_with('[')) section = line_a + " ";
  }
}

std::string diagnosis(const std::vector<std::string>& texts,
                      const std::vector<std::string>& names) {
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    if (texts[rank] == texts[0]) continue;
    const auto [expected, found] = first_difference(texts[0], texts[rank]);
    return fmt::format("{} has \"{}\", {} has \"{}\"", names[rank], found, names[0], expected);
  }
  return {};
}

}  // namespace

void require_agreement(Communicator& ranks, std::string_view what, std::string_view mine) {
  const auto texts = ranks.gather(mine, 0, what);
  const auto names = ranks.gather(ranks.name(), 0, what);
  const std::string difference =
      ranks.broadcast(ranks.is_root() ? diagnosis(texts, names) : std::string(), 0, what);
  require<UsageError>(difference.empty(), what, "ranks differ: {}", difference);
}

}  // namespace edt
