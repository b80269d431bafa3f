#include "parallel/comm/tree_reduce.h"

#include <bit>
#include <cstring>

#include "parallel/comm/reduce_kernels.h"

namespace edt {
namespace {

int floor_of(int size) { return static_cast<int>(std::bit_floor(static_cast<unsigned>(size))); }

Transfer leaving(int peer, std::vector<Chunk> chunks, Wire wire = Wire::kExact) {
  Transfer transfer{peer, std::move(chunks)};
  if (wire == Wire::kBFloat16) {
    transfer.shrink = 2;
    transfer.codec = [](Chunk memory, Chunk bytes) {
      round_to_bfloat16(reinterpret_cast<const float*>(memory.data()),
                        reinterpret_cast<bfloat16*>(bytes.data()), memory.size() / sizeof(float));
    };
  }
  return transfer;
}

// What arrives from `peer` is combined with what is here, the lower rank on the left.
Transfer combining(int rank, int peer, std::vector<Chunk> chunks, DType dtype, Reduce reduce,
                   Wire wire = Wire::kExact) {
  Transfer transfer{peer, std::move(chunks)};
  if (wire == Wire::kBFloat16) {
    transfer.shrink = 2;
    transfer.codec = [](Chunk memory, Chunk bytes) {
      add_rounded(reinterpret_cast<const bfloat16*>(bytes.data()),
                  reinterpret_cast<float*>(memory.data()), memory.size() / sizeof(float));
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

void tree_reduce_scatter(PipelinedSendRecv& flow, RankOf self, const Parts& parts, Reduce reduce,
                         Wire wire) {
  const auto [rank, size] = self;
  const int power = floor_of(size);
  const DType dtype = parts.whole.dtype;
  if (rank >= power) {
    flow.run(leaving(rank - power, parts.every(1, 0), wire), {});
    return flow.receive(rank - power, parts.part(rank));
  }
  const int extra = rank + power < size ? rank + power : -1;
  if (extra >= 0) flow.run({}, combining(rank, extra, parts.every(1, 0), dtype, reduce, wire));
  for (int distance = 1; distance < power; distance *= 2) {
    const int peer = rank ^ distance;
    flow.run(leaving(peer, parts.every(2 * distance, peer), wire),
             combining(rank, peer, parts.every(2 * distance, rank), dtype, reduce, wire));
  }
  if (extra >= 0) flow.send(extra, parts.part(extra));
}

void tree_all_reduce(PipelinedSendRecv& flow, RankOf self, const Tensor& tensor, Reduce reduce) {
  const auto [rank, size] = self;
  const int power = floor_of(size);
  const Chunk bytes = all_of(tensor);
  if (rank >= power) {
    flow.send(rank - power, bytes);
    return flow.receive(rank - power, bytes);
  }
  const int extra = rank + power < size ? rank + power : -1;
  if (extra >= 0) flow.run({}, combining(rank, extra, {bytes}, tensor.dtype, reduce));
  for (int distance = 1; distance < power; distance *= 2) {
    // Leaves as a copy: the original changes while it is on its way.
    Transfer copy{rank ^ distance, {bytes}};
    copy.codec = [](Chunk memory, Chunk wire) {
      std::memcpy(wire.data(), memory.data(), memory.size());
    };
    flow.run(std::move(copy), combining(rank, rank ^ distance, {bytes}, tensor.dtype, reduce));
  }
  if (extra >= 0) flow.send(extra, bytes);
}

void gather_parts(PipelinedSendRecv& flow, RankOf self, const Parts& parts) {
  const auto [rank, size] = self;
  const int power = floor_of(size);
  if (power == size) {
    for (int distance = size / 2; distance > 0; distance /= 2) {
      const int peer = rank ^ distance;
      flow.run({peer, parts.every(2 * distance, rank)}, {peer, parts.every(2 * distance, peer)});
    }
    return;
  }
  const auto at = [ranks = size](int r) { return (r + ranks) % ranks; };
  for (int step = 0; step + 1 < size; ++step) {
    flow.run({at(rank + 1), {parts.part(at(rank - step))}},
             {at(rank - 1), {parts.part(at(rank - step - 1))}});
  }
}

}  // namespace edt
