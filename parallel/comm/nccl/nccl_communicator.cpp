#include "parallel/comm/nccl/nccl_communicator.h"

#include "core/cuda/on_stream.h"
#include "parallel/comm/device/delegating_communicator.h"
#include "parallel/comm/nccl/nccl_link.h"
#include "parallel/comm/rank_groups.h"
#include "parallel/comm/tree_reduce.h"
#include "parallel/comm/wire.h"

namespace edt {
namespace {

std::vector<std::int64_t> equal_bounds(std::int64_t elements, int size) {
  std::vector<std::int64_t> bounds;
  for (std::int64_t r = 0; r <= size; ++r) bounds.push_back(elements * r / size);
  return bounds;
}

// Whom a rank exchanges with: its partners in halving and doubling, and its counterparts.
std::vector<int> peers_of(int rank, int size) {
  const RankGroups groups = RankGroups::of(size);
  std::vector<int> peers = groups.counterparts(rank);
  for (int distance = 1; distance < groups.size; distance *= 2) peers.push_back(rank ^ distance);
  return peers;
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
        connected_(device.memory(),
                   (peers_of(this->rank(), this->size()).size() + 1) * NcclLink::kConnectionBytes),
        link_((stream_of(device), this->ranks())) {  // the GPU becomes the thread's current one
    link_.connect(peers_of(rank(), size()), connected_.data(), stream_of(device));
  }

  std::string_view backend() const override { return "nccl"; }

 private:
  using Way = NcclLink::Way;

  void exchange(const Way& out, const Way& in) { link_.exchange(out, in, stream_of(device_)); }

  // Gives `leaving` to a rank and adds what it gives to `staying`. x + y has the bits of y + x, so
  // the side of the tree on which an operand stands does not matter.
  void exchange_sums(int peer, const std::vector<Chunk>& leaving, const std::vector<Chunk>& staying,
                     DType dtype, Wire wire) {
    const bool shrinks = wire == Wire::kBFloat16;
    std::vector<Chunk> arrived = in_.like(staying, shrinks ? kShrink : 1);
    exchange({peer, shrinks ? rounded(leaving) : leaving}, {peer, arrived});
    if (shrinks) arrived = widened(arrived, staying);
    for (std::size_t i = 0; i < staying.size(); ++i) {
      if (!staying[i].empty()) device_.add_into(flat(arrived[i], dtype), flat(staying[i], dtype));
    }
  }

  static constexpr std::size_t kShrink = sizeof(float) / sizeof(bfloat16);

  std::vector<Chunk> rounded(const std::vector<Chunk>& chunks) {
    const std::vector<Chunk> copies = out_.like(chunks, kShrink);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (chunks[i].empty()) continue;
      device_.copy(flat(chunks[i], DType::kFloat32), flat(copies[i], DType::kBFloat16));
    }
    return copies;
  }

  // float32 of what has arrived in bf16 for chunks like `wide`.
  std::vector<Chunk> widened(const std::vector<Chunk>& arrived, const std::vector<Chunk>& wide) {
    const std::vector<Chunk> copies = wide_.like(wide);
    for (std::size_t i = 0; i < arrived.size(); ++i) {
      if (arrived[i].empty()) continue;
      device_.copy(flat(arrived[i], DType::kBFloat16), flat(copies[i], DType::kFloat32));
    }
    return copies;
  }

  // Recursive halving, as in reduce_within_groups().
  void reduce_groups_of(const Parts& parts, Wire wire) {
    for (int distance = 1; distance < RankGroups::of(size()).size; distance *= 2) {
      const int peer = rank() ^ distance;
      exchange_sums(peer, parts.every(2 * distance, peer), parts.every(2 * distance, rank()),
                    parts.whole.dtype, wire);
    }
  }

  // As fold_over_groups(). What stands left of the own term grows where the first term has arrived.
  void fold(const std::vector<Chunk>& parts, const Tensor& onto, DType dtype, Wire wire) {
    const RankGroups groups = RankGroups::of(size());
    const auto before = static_cast<std::size_t>(groups.group_of(rank()));
    const Chunk own = parts[before];
    const std::vector<Chunk> terms = exchange_terms(groups, parts, own, wire);
    if (own.empty()) return;
    if (onto.defined()) {
      device_.add_into(onto.reshaped({onto.elements()}), flat(before > 0 ? terms[0] : own, dtype));
    }
    for (std::size_t i = 1; i < before; ++i) {
      device_.add_into(flat(terms[i], dtype), flat(terms[0], dtype));
    }
    if (before > 0) device_.add_into(flat(terms[0], dtype), flat(own, dtype));
    for (std::size_t i = before; i < terms.size(); ++i) {
      device_.add_into(flat(terms[i], dtype), flat(own, dtype));
    }
  }

  // What the counterparts give for `own`, by group.
  std::vector<Chunk> exchange_terms(const RankGroups& groups, const std::vector<Chunk>& parts,
                                    const Chunk& own, Wire wire) {
    const std::vector<int> peers = groups.counterparts(rank());
    const bool shrinks = wire == Wire::kBFloat16;
    std::vector<Chunk> leaving;
    for (const int peer : peers) {
      leaving.push_back(parts[static_cast<std::size_t>(groups.group_of(peer))]);
    }
    if (shrinks) leaving = rounded(leaving);
    const std::vector<Chunk> terms(peers.size(), own),
        arrived = in_.like(terms, shrinks ? kShrink : 1);
    std::vector<Way> out, in;
    for (std::size_t i = 0; i < peers.size(); ++i) {
      out.push_back({peers[i], {leaving[i]}});
      in.push_back({peers[i], {arrived[i]}});
    }
    link_.exchange(out, in, stream_of(device_));
    return shrinks ? widened(arrived, terms) : arrived;
  }

  void reduce_parts(const Parts& parts, Wire wire) {
    require<CommunicationError>(!rounds_once(wire), "nccl",
                                "no kernel here encodes what this wire carries");
    reduce_groups_of(parts, wire);
    fold(parts.every(RankGroups::of(size()).size, rank()), {}, parts.whole.dtype, wire);
  }

  // As gather_parts().
  void spread_parts(const Parts& parts) {
    const RankGroups groups = RankGroups::of(size());
    std::vector<Way> out, in;
    for (const int peer : groups.counterparts(rank())) {
      out.push_back({peer, {parts.part(rank())}});
      in.push_back({peer, {parts.part(peer)}});
    }
    if (!out.empty()) link_.exchange(out, in, stream_of(device_));
    for (int distance = groups.size / 2; distance > 0; distance /= 2) {
      const int peer = rank() ^ distance;
      exchange({peer, parts.every(2 * distance, rank())}, {peer, parts.every(2 * distance, peer)});
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
  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective&) override {
    reduce_groups_of({whole, bounds}, wire);
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective&) override {
    std::vector<Chunk> chunks;
    for (const Tensor& part : parts) chunks.push_back(all_of(part));
    fold(chunks, onto, DType::kFloat32, wire);
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
  Block connected_;               // what connecting exchanges, also where that fails
  NcclLink link_;  // ends first: memory that a waiting kernel uses is not given back before
};

}  // namespace

std::unique_ptr<Communicator> make_nccl_communicator(Device& device,
                                                     std::unique_ptr<Communicator> ranks) {
  return std::make_unique<NcclCommunicator>(device, std::move(ranks));
}

}  // namespace edt
