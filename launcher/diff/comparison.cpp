#include "launcher/diff/comparison.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "core/base/error.h"
#include "launcher/diff/configurations.h"
#include "launcher/diff/values.h"

namespace edt {
namespace {

struct CallPlace {
  const RecordedFile* file = nullptr;
  std::size_t index = 0;  // in the file
  const RecordedCall& call() const { return file->calls[index]; }
};

bool is_in_order(const RecordedCall& call) {
  return call.kind != CallKind::kGradient && call.kind != CallKind::kWeights;
}

// The same of counterparts. Tensor ranks have calls of their own, and each rank has its
// collectives.
std::string key_of(const RecordedFile& file, const RecordedCall& call) {
  const int of = call.kind == CallKind::kCollective ? file.header.rank
                                                    : file.header.rank % file.header.tensor_ranks;
  return fmt::format("{}:{}", of, place_of(call, 0));
}

using CallIndex = std::unordered_map<std::string, CallPlace>;

CallIndex index_of(const std::vector<RecordedFile>& files) {
  CallIndex index;
  for (const RecordedFile& file : files) {
    for (std::size_t i = 0; i < file.calls.size(); ++i) {
      if (is_in_order(file.calls[i]))
        index.emplace(key_of(file, file.calls[i]), CallPlace{&file, i});
    }
  }
  return index;
}

const RecordedTensor* find(const std::vector<RecordedTensor>& tensors, std::int64_t place) {
  const auto found = std::ranges::find(tensors, place, &RecordedTensor::place);
  return found == tensors.end() ? nullptr : &*found;
}

bool is_same(const RecordedTensor& a, const RecordedTensor& b) {
  return a.hash == b.hash && a.shape == b.shape && a.dtype == b.dtype;
}

// The first of `a` that `b` has too, and otherwise. What one of two runs does not keep, such as a
// hidden activation that is recomputed, is no difference.
std::pair<const RecordedTensor*, const RecordedTensor*> first_other(
    const std::vector<RecordedTensor>& a, const std::vector<RecordedTensor>& b) {
  for (const RecordedTensor& one : a) {
    const RecordedTensor* const other = find(b, one.place);
    if (other != nullptr && !is_same(one, *other)) return {&one, other};
  }
  return {nullptr, nullptr};
}

// The last parameter that calls of the micro-batch used before this one.
std::string name_before(const CallPlace& place) {
  for (std::size_t i = place.index; i-- > 0;) {
    const RecordedCall& call = place.file->calls[i];
    if (call.kind == CallKind::kKernel && call.micro_batch == place.call().micro_batch &&
        !call.of.empty()) {
      return call.of;
    }
  }
  return {};
}

class StepComparison {
 public:
  // `collectives`: they have counterparts. `again`: recomputed calls have.
  StepComparison(std::int64_t step, const std::vector<RecordedFile>& a,
                 const std::vector<RecordedFile>& b, bool collectives, bool again)
      : step_(step),
        a_(a),
        b_(b),
        index_of_a_(index_of(a)),
        index_of_b_(index_of(b)),
        collectives_(collectives),
        again_(again) {}

  std::optional<Difference> first(RecordComparison& counts) {
    std::optional<Found> found;
    for (const RecordedFile& file : a_) {
      if (auto one = first_of_rank(file, counts)) take_earlier(found, std::move(*one));
    }
    if (!found) found = first_missing();
    if (found) return std::move(found->difference);
    for (const CallKind kind : {CallKind::kGradient, CallKind::kWeights}) {
      auto& count = kind == CallKind::kGradient ? counts.gradients : counts.weights;
      if (auto one = first_tensor(kind, count)) return one;
    }
    return std::nullopt;
  }

 private:
  struct Found {
    Difference difference;
    // Where several ranks differ: what entered by a collective came from another one, whose own
    // calls differ if the fault was there.
    bool is_collective;
    std::int64_t micro_batch;
    std::size_t index;
    auto order() const { return std::tuple(is_collective, micro_batch, index); }
  };
  static void take_earlier(std::optional<Found>& found, Found one) {
    if (!found || one.order() < found->order()) found = std::move(one);
  }

  bool counts(const RecordedCall& call) const {
    if (!is_in_order(call)) return false;
    if (call.kind == CallKind::kCollective) return collectives_;
    return again_ || !call.again;
  }

  // In the order in which the rank made its calls: an effect comes after its cause.
  std::optional<Found> first_of_rank(const RecordedFile& file, RecordComparison& counted) const {
    for (std::size_t i = 0; i < file.calls.size(); ++i) {
      const RecordedCall& call = file.calls[i];
      if (!counts(call)) continue;
      ++counted.calls;
      const auto other = index_of_b_.find(key_of(file, call));
      const CallPlace here{&file, i};
      if (other == index_of_b_.end()) return found_at(here, missing(here, 0));
      if (auto difference = difference_of(here, other->second)) {
        return found_at(here, std::move(*difference));
      }
    }
    return std::nullopt;
  }

  static Found found_at(const CallPlace& place, Difference difference) {
    const RecordedCall& call = place.call();
    return {std::move(difference), call.kind == CallKind::kCollective, call.micro_batch,
            place.index};
  }

  // A call that only record `side` has.
  Difference missing(const CallPlace& place, std::size_t side) const {
    Difference difference{.step = step_, .call = place.call()};
    difference.ranks[side] = place.file->header.rank;
    difference.behind = name_before(place);
    return difference;
  }

  std::optional<Difference> difference_of(const CallPlace& a, const CallPlace& b) const {
    const RecordedCall &one = a.call(), &other = b.call();
    auto [mine, theirs] = first_other(one.in, other.in);
    const bool is_read = mine != nullptr;
    if (!is_read) std::tie(mine, theirs) = first_other(one.out, other.out);
    if (mine == nullptr && one.detail == other.detail) return std::nullopt;
    Difference difference{.step = step_,
                          .call = one,
                          .ranks = {a.file->header.rank, b.file->header.rank},
                          .is_read = is_read,
                          .details = {one.detail, other.detail},
                          .behind = name_before(a)};
    if (mine != nullptr) {
      difference.tensors = {*mine, *theirs};
      const RecordedPart first{a.file, mine}, second{b.file, theirs};
      difference.largest = largest_difference({&first, 1}, {&second, 1});
    }
    return difference;
  }

  std::optional<Found> first_missing() const {
    for (const RecordedFile& file : b_) {
      for (std::size_t i = 0; i < file.calls.size(); ++i) {
        const RecordedCall& call = file.calls[i];
        if (!counts(call) || index_of_a_.contains(key_of(file, call))) continue;
        const CallPlace place{&file, i};
        return found_at(place, missing(place, 1));
      }
    }
    return std::nullopt;
  }

  // All parts of the tensors of a kind, by tensor rank and name, in the order of the layout.
  struct WholeTensor {
    std::string key;
    std::vector<RecordedPart> parts;
    std::uint64_t hash = 0;  // the sum of the parts'
    std::int64_t elements = 0;
  };
  static std::vector<WholeTensor> tensors_of(const std::vector<RecordedFile>& files,
                                             CallKind kind) {
    std::vector<WholeTensor> all;
    std::map<std::string, std::size_t> places;
    for (const RecordedFile& file : files) {
      for (const RecordedCall& call : file.calls) {
        if (call.kind != kind) continue;
        const auto [place, is_new] = places.emplace(key_of(file, call), all.size());
        if (is_new) all.push_back({.key = place->first});
        WholeTensor& whole = all[place->second];
        for (const RecordedTensor& part : call.out) {
          whole.parts.push_back({&file, &part});
          whole.hash += part.hash;
          whole.elements += part.end - part.begin;
        }
      }
    }
    for (const WholeTensor& whole : all) {
      const RecordedTensor& part = *whole.parts.front().tensor;
      require<DataError>(whole.elements == part.shape.elements(), "record",
                         "{}: {} has {} of {} elements", files.front().path.string(), part.name,
                         whole.elements, part.shape.elements());
    }
    return all;
  }

  std::optional<Difference> first_tensor(CallKind kind, std::int64_t& count) const {
    const std::vector<WholeTensor> mine = tensors_of(a_, kind), theirs = tensors_of(b_, kind);
    for (const WholeTensor& one : mine) {
      const auto other = std::ranges::find(theirs, one.key, &WholeTensor::key);
      if (other == theirs.end()) continue;  // where a step was not updated, say
      ++count;
      if (one.hash == other->hash) continue;
      return difference_of(kind, one, *other);
    }
    return std::nullopt;
  }

  Difference difference_of(CallKind kind, const WholeTensor& one, const WholeTensor& other) const {
    const auto whole = [](const WholeTensor& of) {
      RecordedTensor tensor = *of.parts.front().tensor;
      tensor.hash = of.hash;
      tensor.begin = 0;
      tensor.end = tensor.shape.elements();
      return tensor;
    };
    Difference difference{.step = step_,
                          .call = {.kind = kind, .of = one.parts.front().tensor->name},
                          .tensors = {whole(one), whole(other)},
                          .largest = largest_difference(one.parts, other.parts)};
    difference.ranks = ranks_of_part(one, other);
    return difference;
  }

  // Those that have the first part which differs, where parts are cut alike.
  static std::array<int, 2> ranks_of_part(const WholeTensor& one, const WholeTensor& other) {
    for (const RecordedPart& mine : one.parts) {
      for (const RecordedPart& theirs : other.parts) {
        if (mine.tensor->begin == theirs.tensor->begin && mine.tensor->end == theirs.tensor->end &&
            mine.tensor->hash != theirs.tensor->hash) {
          return {mine.file->header.rank, theirs.file->header.rank};
        }
      }
    }
    return {one.parts.front().file->header.rank, other.parts.front().file->header.rank};
  }

  std::int64_t step_;
  const std::vector<RecordedFile>&a_, &b_;
  CallIndex index_of_a_, index_of_b_;
  bool collectives_, again_;
};

std::string steps_text(const RecordSet& set) {
  return fmt::format("{}..{}", set.steps.begin()->first, set.steps.rbegin()->first);
}

}  // namespace

RecordComparison compare(const RecordSet& a, const RecordSet& b) {
  const LayoutOfRuns layout = require_comparable(a, b);
  RecordComparison result{.left_out = layout.left_out, .outside = layout.outside};
  for (const auto& [step, files] : a.steps) {
    const auto other = b.steps.find(step);
    if (other == b.steps.end()) continue;
    result.steps.push_back(step);
    if (result.difference) continue;
    StepComparison comparison(step, files, other->second, layout.same_collectives,
                              layout.same_recompute);
    result.difference = comparison.first(result);
  }
  require<UsageError>(!result.steps.empty(), "diff", "no step in common: {} has {}, {} has {}",
                      a.directory.string(), steps_text(a), b.directory.string(), steps_text(b));
  return result;
}

}  // namespace edt
