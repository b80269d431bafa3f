#include "data/import/sequence_cuts.h"

#include <algorithm>

#include "core/base/error.h"

namespace edt::data {

namespace {

void check_length(const SequenceOptions& options, std::uint64_t length, std::uint64_t number,
                  const std::string& where) {
  require<DataError>(length >= options.length || options.skips_short, "import",
                     "{}: sequence {} has {} frames, --length is {}: --short skip leaves out those "
                     "that are shorter",
                     where, number, length, options.length);
  require<DataError>(length <= options.length || options.cut != SequenceCut::kNone, "import",
                     "{}: sequence {} has {} frames, --length is {}: --cut first takes the first "
                     "ones, --cut windows all of them",
                     where, number, length, options.length);
}

}  // namespace

SequenceCuts::SequenceCuts(const SequenceOptions& options, std::uint64_t count,
                           std::vector<std::uint64_t> lengths, const std::string& where)
    : options_(options), all_alike_(lengths.size() != count || count == 1), begin_{0} {
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    check_length(options, lengths[i], i, where);
    const std::uint64_t windows = windows_of(lengths[i]);
    skipped_ += windows == 0;
    begin_.push_back(begin_.back() + windows);
  }
  windows_ = begin_.back();
  if (!all_alike_) return;
  windows_ *= count;
  skipped_ *= count;
}

std::uint64_t SequenceCuts::windows_of(std::uint64_t length) const {
  if (length < options_.length) return 0;
  if (options_.cut != SequenceCut::kWindows) return 1;
  return (length - options_.length) / options_.step() + 1;
}

SequenceCuts::Window SequenceCuts::operator[](std::uint64_t window) const {
  if (all_alike_) {
    const std::uint64_t each = begin_.back();
    return {window / each, window % each * options_.step()};
  }
  const auto next = std::ranges::upper_bound(begin_, window);
  const auto sequence = static_cast<std::uint64_t>(next - begin_.begin()) - 1;
  return {sequence, (window - begin_[sequence]) * options_.step()};
}

}  // namespace edt::data
