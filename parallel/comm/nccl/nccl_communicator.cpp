#include "parallel/comm/nccl/nccl_communicator.h"

#include <bit>
#include <set>

#include "core/cuda/on_stream.h"
#include "parallel/comm/device/delegating_communicator.h"
#include "parallel/comm/nccl/nccl_link.h"
#include "parallel/comm/tree_reduce.h"

namespace edt {
namespace {

std::vector<std::int64_t> equal_bounds(std::int64_t elements, int size) {
  std::vector<std::int64_t> bounds;
  for (std::int64_t r = 0; r <= size; ++r) bounds.push_back(elements * r / size);
  return bounds;
}

// Whom a rank exchanges with: its partners in the tree of sums and in doubling, and in the ring of
// ranks that are no power of two.
std::vector<int> peers_of(int rank, int size) {
  const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(size)));
  std::set<int> peers;
  for (int distance = 1; rank < power && distance < power; distance *= 2) {
    peers.insert(rank ^ distance);
  }
  if (power < size) {
    if (rank >= power) peers.insert(rank - power);
    if (rank + power < size) peers.insert(rank + power);
    peers.insert((rank + 1) % size);
    peers.insert((rank + size - 1) % size);
  }
  return {peers.begin(), peers.end()};
}

Tensor flat(const Chunk& chunk, DType dtype) {
  return {chunk.data(), {static_cast<std::int64_t>(chunk.size() / size_of(dtype))}, dtype};
}

// Device memory cut into chunks like others', one after the other; grows to its largest use.
class ChunkScratch {
 public:
  explicit ChunkScratch(Device& device) : device_(device) {}

  std::vector<Chunk> like(const std::vector<Chunk>& chunks, std::size_t shrink = 1) {
    constexpr std::size_t kAlign = 16;  // of vector accesses
    std::size_t total = 0;
    for (const Chunk& chunk : chunks) total += padded(chunk.size() / shrink, kAlign);
    if (block_.bytes() < total) {
      block_ = {};
      block_ = Block(device_.memory(), total);
    }
    std::vector<Chunk> copies;
    auto* at = static_cast<std::byte*>(block_.data());
    for (const Chunk& chunk : chunks) {
      copies.emplace_back(at, chunk.size() / shrink);
      at += padded(chunk.size() / shrink, kAlign);
    }
    return copies;
  }

 private:
  static std::size_t padded(std::size_t bytes, std::size_t align) {
    return (bytes + align - 1) / align * align;
  }
  Device& device_;
  Block block_;
};

class NcclCommunicator final : public DelegatingCommunicator {
 public:
  NcclCommunicator(Device& device, std::unique_ptr<Communicator> ranks)
      : DelegatingCommunicator(std::move(ranks)),
        device_(device),
        out_(device),
        in_(device),
        wide_(device),
        link_((stream_of(device), this->ranks())) {  // the GPU becomes the thread's current one
    const std::vector<int> peers = peers_of(rank(), size());
    const Block bytes(device.memory(), (peers.size() + 1) * NcclLink::kConnectionBytes);
    link_.connect(peers, bytes.data(), stream_of(device));
  }

  std::string_view backend() const override { return "nccl"; }

 private:
  using Way = NcclLink::Way;

  void exchange(const Way& out, const Way& in) { link_.exchange(out, in, stream_of(device_)); }

  // Gives `leaving` to a rank and adds what another gives to `staying`. x + y has the bits of y +
  // x, so the side of the tree on which an operand stands does not matter.
  void exchange_sums(int to, const std::vector<Chunk>& leaving, int from,
                     const std::vector<Chunk>& staying, DType dtype, Wire wire) {
    if (wire == Wire::kBFloat16) return exchange_rounded(to, leaving, from, staying);
    const std::vector<Chunk> arrived = in_.like(staying);
    exchange({to, leaving}, {from, arrived});
    for (std::size_t i = 0; from >= 0 && i < staying.size(); ++i) {
      if (!staying[i].empty()) device_.add_into(flat(arrived[i], dtype), flat(staying[i], dtype));
    }
  }

  void exchange_rounded(int to, const std::vector<Chunk>& leaving, int from,
                        const std::vector<Chunk>& staying) {
    constexpr std::size_t kShrink = sizeof(float) / sizeof(bfloat16);
    const std::vector<Chunk> rounded = out_.like(leaving, kShrink),
                             arrived = in_.like(staying, kShrink);
    for (std::size_t i = 0; to >= 0 && i < leaving.size(); ++i) {
      if (leaving[i].empty()) continue;
      device_.copy(flat(leaving[i], DType::kFloat32), flat(rounded[i], DType::kBFloat16));
    }
    exchange({to, rounded}, {from, arrived});
    const std::vector<Chunk> sums = wide_.like(staying);
    for (std::size_t i = 0; from >= 0 && i < staying.size(); ++i) {
      if (staying[i].empty()) continue;
      device_.copy(flat(arrived[i], DType::kBFloat16), flat(sums[i], DType::kFloat32));
      device_.add_into(flat(sums[i], DType::kFloat32), flat(staying[i], DType::kFloat32));
    }
  }

  // Recursive halving, as in tree_reduce_scatter().
  void reduce_parts(const Parts& parts, Wire wire) {
    const int power = static_cast<int>(std::bit_floor(static_cast<unsigned>(size())));
    const DType dtype = parts.whole.dtype;
    if (rank() >= power) {
      exchange_sums(rank() - power, parts.every(1, 0), -1, {}, dtype, wire);
      return exchange({}, {rank() - power, {parts.part(rank())}});
    }
    const int extra = rank() + power < size() ? rank() + power : -1;
    if (extra >= 0) exchange_sums(-1, {}, extra, parts.every(1, 0), dtype, wire);
    for (int distance = 1; distance < power; distance *= 2) {
      const int peer = rank() ^ distance;
      exchange_sums(peer, parts.every(2 * distance, peer), peer, parts.every(2 * distance, rank()),
                    dtype, wire);
    }
    if (extra >= 0) exchange({extra, {parts.part(extra)}}, {});
  }

  // Recursive doubling, or a ring, as in gather_parts().
  void spread_parts(const Parts& parts) {
    if (std::has_single_bit(static_cast<unsigned>(size()))) {
      for (int distance = size() / 2; distance > 0; distance /= 2) {
        const int peer = rank() ^ distance;
        exchange({peer, parts.every(2 * distance, rank())},
                 {peer, parts.every(2 * distance, peer)});
      }
      return;
    }
    const auto at = [&](int r) { return (r + size()) % size(); };
    for (int step = 0; step + 1 < size(); ++step) {
      exchange({at(rank() + 1), {parts.part(at(rank() - step))}},
               {at(rank() - 1), {parts.part(at(rank() - step - 1))}});
    }
  }

  // What is rare and small: NCCL's maxima would lose NaN, and no kernel here adds integers.
  void reduce_on_hosts(const Tensor& tensor, Reduce reduce, std::string_view label) {
    std::vector<std::byte> host(tensor.bytes());
    device_.download(tensor, host.data());
    ranks().all_reduce({host.data(), tensor.shape, tensor.dtype}, reduce, label);
    device_.upload(host.data(), tensor);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return make_nccl_communicator(device_, ranks().split(color, key, call.label));
  }
  void do_broadcast(const Tensor& tensor, int root, const Collective&) override {
    link_.broadcast(tensor, root, stream_of(device_));
  }
  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective& call) override {
    const bool has_kernel = tensor.dtype == DType::kFloat32 || tensor.dtype == DType::kBFloat16;
    if (reduce != Reduce::kSum || !has_kernel) return reduce_on_hosts(tensor, reduce, call.label);
    const auto bounds = equal_bounds(tensor.elements(), size());
    reduce_parts({tensor, bounds}, Wire::kExact);
    spread_parts({tensor, bounds});
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective&) override {
    const auto bounds = equal_bounds(to.elements(), size());
    const Parts parts{to, bounds};
    const Chunk own = parts.part(rank());
    if (!own.empty() && own.data() != from.data) {
      device_.copy(from.reshaped({from.elements()}), flat(own, from.dtype));
    }
    spread_parts(parts);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective&) override {
    require<CommunicationError>(reduce == Reduce::kSum, "nccl", "reduce_scatter with {}: only {}",
                                name_of(reduce), name_of(Reduce::kSum));
    const auto bounds = equal_bounds(from.elements(), size());
    const Parts parts{from, bounds};
    reduce_parts(parts, Wire::kExact);
    const Chunk own = parts.part(rank());
    if (!own.empty() && own.data() != to.data) {
      device_.copy(flat(own, from.dtype), to.reshaped({to.elements()}));
    }
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective&) override {
    reduce_parts({whole, bounds}, wire);
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                           const Collective&) override {
    spread_parts({whole, bounds});
  }
  void do_send(const Tensor& tensor, int to, const Collective&) override {
    exchange({to, {all_of(tensor)}}, {});
  }
  void do_receive(const Tensor& tensor, int from, const Collective&) override {
    exchange({}, {from, {all_of(tensor)}});
  }
  static Chunk all_of(const Tensor& tensor) {
    return {static_cast<std::byte*>(tensor.data), tensor.bytes()};
  }

  Device& device_;
  ChunkScratch out_, in_, wide_;  // leaving rounded, arriving, arrived rounded and widened
  NcclLink link_;  // ends first: memory that a waiting kernel uses is not given back before
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Device& device,
                                                     std::unique_ptr<Communicator> ranks) {
  return std::make_unique<NcclCommunicator>(device, std::move(ranks));
}

}  // namespace edt
