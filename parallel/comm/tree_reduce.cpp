#include "parallel/comm/tree_reduce.h"

#include <cstring>

#include "parallel/comm/rank_groups.h"
#include "parallel/comm/reduce_kernels.h"
#include "parallel/comm/wire.h"

namespace edt {
namespace {

std::span<float> floats(Chunk chunk) {
  return {reinterpret_cast<float*>(chunk.data()), chunk.size() / sizeof(float)};
}

Transfer leaving(int peer, std::vector<Chunk> chunks, Wire wire = Wire::kExact) {
  Transfer transfer{peer, std::move(chunks), wire};
  if (wire != Wire::kExact) {
    transfer.codec = [wire](Chunk memory, Chunk bytes) { encode(wire, floats(memory), bytes); };
  }
  return transfer;
}

// What arrives from `peer` is combined with what is here, the lower rank on the left.
Transfer combining(int rank, int peer, std::vector<Chunk> chunks, DType dtype, Reduce reduce,
                   Wire wire = Wire::kExact) {
  Transfer transfer{peer, std::move(chunks), wire};
  if (wire != Wire::kExact) {
    transfer.codec = [wire](Chunk memory, Chunk bytes) {
      decode_onto(wire, bytes, floats(memory));
    };
  } else {
    transfer.codec = [=](Chunk memory, Chunk bytes) {
      const bool is_left = peer < rank;
      combine(dtype, reduce, is_left ? bytes.data() : memory.data(),
              is_left ? memory.data() : bytes.data(), memory.data(),
              memory.size() / size_of(dtype));
    };
  }
  return transfer;
}

Chunk all_of(const Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data), tensor.bytes()};
}

// One message of a fold: `own` is in place, `arrived` are the terms of the groups before this one,
// `before` of them, and of those after it. What stands left of the own term grows where the first
// of them has arrived.
void fold_exact(const Summation& sum, std::size_t before, Chunk onto, Chunk own,
                std::span<const Chunk> arrived) {
  const std::size_t count = own.size() / size_of(sum.dtype);
  const std::byte* left = onto.empty() ? nullptr : onto.data();
  for (std::size_t i = 0; i < before; ++i) {
    if (left == nullptr) {
      left = arrived[i].data();
      continue;
    }
    combine(sum.dtype, sum.reduce, left, arrived[i].data(), arrived[0].data(), count);
    left = arrived[0].data();
  }
  if (left != nullptr) combine(sum.dtype, sum.reduce, left, own.data(), own.data(), count);
  for (std::size_t i = before; i < arrived.size(); ++i) {
    combine(sum.dtype, sum.reduce, own.data(), arrived[i].data(), own.data(), count);
  }
}

// The same where terms have travelled rounded.
void fold_rounded(Wire wire, std::size_t before, Chunk onto, Chunk own,
                  std::span<const Chunk> arrived) {
  const std::span<float> result = floats(own);
  if (before > 0 || !onto.empty()) {
    std::vector<float> left(result.size(), -0.f);  // plus any number that number
    if (!onto.empty()) std::memcpy(left.data(), onto.data(), own.size());
    for (std::size_t i = 0; i < before; ++i) decode_onto(wire, arrived[i], left);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = left[i] + result[i];
  }
  for (std::size_t i = before; i < arrived.size(); ++i) decode_onto(wire, arrived[i], result);
}

// Gives terms[g] to the counterpart in group g and folds what the counterparts give into `own`.
void exchange_terms(PipelinedSendRecv& flow, RankOf self, const RankGroups& groups,
                    const Summation& sum, std::span<const Chunk> terms, Chunk own, Chunk onto) {
  const auto before = static_cast<std::size_t>(groups.group_of(self.rank));
  std::vector<Transfer> out;
  for (int step = 1; step < groups.count; ++step) {  // not all to the first at once
    const int group = (groups.group_of(self.rank) + step) % groups.count;
    out.push_back(leaving(groups.counterpart(self.rank, group),
                          {terms[static_cast<std::size_t>(group)]}, sum.wire));
  }
  Fold in{groups.counterparts(self.rank), own, sum.wire, {}};
  in.combine = [=](Chunk memory, std::span<const Chunk> arrived) {
    const auto offset = static_cast<std::size_t>(memory.data() - own.data());
    const Chunk left = onto.empty() ? onto : onto.subspan(offset, memory.size());
    sum.wire != Wire::kExact ? fold_rounded(sum.wire, before, left, memory, arrived)
                             : fold_exact(sum, before, left, memory, arrived);
  };
  flow.run_fold(std::move(out), std::move(in));
}

}  // namespace

Chunk Parts::part(int rank) const {
  const auto r = static_cast<std::size_t>(rank);
  const std::size_t width = size_of(whole.dtype);
  const auto begin = static_cast<std::size_t>(bounds[r]) * width;
  const auto end = static_cast<std::size_t>(bounds[r + 1]) * width;
  return all_of(whole).subspan(begin, end - begin);
}

std::vector<Chunk> Parts::every(int stride, int rank) const {
  const int size = static_cast<int>(bounds.size()) - 1;
  std::vector<Chunk> chunks;
  for (int r = rank % stride; r < size; r += stride) chunks.push_back(part(r));
  return chunks;
}

void reduce_within_groups(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                          Wire wire) {
  const int rank = self.rank;
  for (int distance = 1; distance < RankGroups::of(self.size).size; distance *= 2) {
    const int peer = rank ^ distance;
    flow.run(
        leaving(peer, parts.every(2 * distance, peer), wire),
        combining(rank, peer, parts.every(2 * distance, rank), parts.whole.dtype, reduce, wire));
  }
}

void fold_over_groups(PipelinedSendRecv& flow, RankOf self, const Summation& sum,
                      std::span<const Chunk> parts, Chunk onto) {
  const RankGroups groups = RankGroups::of(self.size);
  const Chunk own = parts[static_cast<std::size_t>(groups.group_of(self.rank))];
  if (groups.count > 1) return exchange_terms(flow, self, groups, sum, parts, own, onto);
  if (!onto.empty()) fold_exact(sum, 0, onto, own, {});
}

void tree_reduce_scatter(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                         Wire wire) {
  if (rounds_once(wire)) {
    if (self.size == 1) return;
    const Summation sum{parts.whole.dtype, reduce, wire};
    return exchange_terms(flow, self, {self.size, 1}, sum, parts.every(1, 0), parts.part(self.rank),
                          {});
  }
  reduce_within_groups(flow, self, parts, reduce, wire);
  const std::vector<Chunk> kept = parts.every(RankGroups::of(self.size).size, self.rank);
  fold_over_groups(flow, self, {parts.whole.dtype, reduce, wire}, kept, {});
}

void tree_all_reduce(PipelinedSendRecv& flow, RankOf self, const Tensor& tensor, Reduce reduce) {
  const RankGroups groups = RankGroups::of(self.size);
  const int rank = self.rank;
  const Chunk bytes = all_of(tensor);
  for (int distance = 1; distance < groups.size; distance *= 2) {
    // Leaves as a copy: the original changes while it is on its way.
    Transfer copy{rank ^ distance, {bytes}};
    copy.codec = [](Chunk memory, Chunk wire) {
      std::memcpy(wire.data(), memory.data(), memory.size());
    };
    flow.run(std::move(copy), combining(rank, rank ^ distance, {bytes}, tensor.dtype, reduce));
  }
  if (groups.count == 1) return;
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  const std::vector<Chunk> terms(static_cast<std::size_t>(groups.count), Chunk(copy));
  exchange_terms(flow, self, groups, {tensor.dtype, reduce}, terms, bytes, {});
}

void gather_parts(PipelinedSendRecv& flow, RankOf self, const Parts& parts) {
  const RankGroups groups = RankGroups::of(self.size);
  const int rank = self.rank;
  if (groups.count > 1) {
    std::vector<Transfer> out, in;
    for (const int peer : groups.counterparts(rank)) {
      out.push_back({peer, {parts.part(rank)}});
      in.push_back({peer, {parts.part(peer)}});
    }
    flow.run_all(std::move(out), std::move(in));
  }
  for (int distance = groups.size / 2; distance > 0; distance /= 2) {
    const int peer = rank ^ distance;
    flow.run({peer, parts.every(2 * distance, rank)}, {peer, parts.every(2 * distance, peer)});
  }
}

}  // namespace edt
