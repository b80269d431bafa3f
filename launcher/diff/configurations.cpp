#include "launcher/diff/configurations.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/base/error.h"
#include "launcher/train/run_changes.h"

namespace edt {
namespace {

RunIdentity identity_of(const RecordHeader& header) {
  return {.configuration = header.configuration, .data = header.data};
}

std::string changed(std::span<const OptionChange> changes,
                    std::span<const std::string_view> names) {
  for (const OptionChange& change : changes) {
    if (std::ranges::find(names, change.name) == names.end()) continue;
    return fmt::format("{} is {} and {}", change.name, change.before, change.after);
  }
  return {};
}

// Bits depend on these, which nobody is told to keep.
std::string outside_promise(const RecordHeader& one, const RecordHeader& other) {
  if (one.device != other.device) {
    return fmt::format("the devices are {} and {}, which round differently", one.device,
                       other.device);
  }
  if (one.threads == other.threads) return {};
  return fmt::format("ranks have {} and {} threads, and sums over threads may round differently",
                     one.threads, other.threads);
}

}  // namespace

LayoutOfRuns require_comparable(const RecordSet& a, const RecordSet& b) {
  const RecordHeader &one = a.header(), &other = b.header();
  auto changes = changes_between(identity_of(one), identity_of(other), a.directory.string());
  require<UsageError>(one.tensor_ranks == other.tensor_ranks, "diff",
                      "{} and {} need not agree: parallel.tensor is {} and {}",
                      a.directory.string(), b.directory.string(), one.tensor_ranks,
                      other.tensor_ranks);
  auto shaping = changes;
  std::erase_if(shaping, [](const OptionChange& change) {
    return !change.changes_curve && change.name != "sum of gradients";
  });
  require<UsageError>(shaping.empty(), "diff", "{} and {} need not agree: {}", a.directory.string(),
                      b.directory.string(), text_of(shaping));

  LayoutOfRuns layout{.outside = outside_promise(one, other)};
  constexpr std::array<std::string_view, 3> kOfCollectives{"parallel.zero", "parallel.shard-ranks",
                                                           "parallel.bucket"};
  constexpr std::array<std::string_view, 1> kOfRecompute{"train.recompute"};
  std::string why = one.ranks == other.ranks
                        ? changed(changes, kOfCollectives)
                        : fmt::format("there are {} and {} ranks", one.ranks, other.ranks);
  if (!why.empty()) {
    layout.same_collectives = false;
    layout.left_out = "collectives, as " + why;
  }
  if (const std::string how = changed(changes, kOfRecompute); !how.empty()) {
    layout.same_recompute = false;
    layout.left_out +=
        fmt::format("{}recomputed calls, as {}", layout.left_out.empty() ? "" : "; ", how);
  }
  return layout;
}

}  // namespace edt
