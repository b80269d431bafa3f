#include "parallel/comm/p2p_communicator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "parallel/comm/p2p_side_channel.h"
#include "parallel/comm/tree_reduce.h"

namespace edt {
namespace {

constexpr int kUserTag = Transport::kMaxTag;  // send and receive

// Collectives that ranks disagree on do not meet: their messages differ in operation or number.
int tag_of(const Collective& call) {
  constexpr std::array<std::string_view, 10> kOperations{
      "split",      "side_channel",   "barrier", "broadcast",     "all_reduce",
      "all_gather", "reduce_scatter", "gather",  "reduce_groups", "fold_groups"};
  constexpr std::uint64_t kNumbers = (Transport::kMaxTag - 1) / kOperations.size();
  const auto found = std::find(kOperations.begin(), kOperations.end(), call.operation);
  if (found == kOperations.end()) return kUserTag;
  const auto operation = static_cast<std::uint64_t>(found - kOperations.begin());
  return static_cast<int>(call.sequence % kNumbers * kOperations.size() + operation);
}

// Bounds of equal parts; the last ones may be one element shorter.
std::vector<std::int64_t> equal_bounds(std::int64_t elements, int size) {
  std::vector<std::int64_t> bounds;
  for (std::int64_t r = 0; r <= size; ++r) bounds.push_back(elements * r / size);
  return bounds;
}

template <class T>
Chunk bytes_of(T& value) {
  return std::as_writable_bytes(std::span<T>(&value, 1));
}
Chunk bytes_of(std::string& text) { return std::as_writable_bytes(std::span<char>(text)); }
Chunk bytes_of(const Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data), tensor.bytes()};
}

class P2pCommunicator final : public Communicator {
 public:
  P2pCommunicator(std::unique_ptr<Transport> transport, const TransportOptions& options)
      : transport_(std::move(transport)), options_(options) {
    EDT_ASSERT(options.whole_bytes <= options.flow.message_bytes && options.flow.window > 0);
  }

  std::string_view backend() const override { return transport_->name(); }
  int rank() const override { return transport_->rank(); }
  int size() const override { return transport_->size(); }
  const std::string& host() const override { return transport_->host(); }
  [[noreturn]] void abort(int status) override {
    transport_->abort(status);
    std::abort();  // GCC does not see that a virtual function never returns
  }

 private:
  PipelinedSendRecv flow(const Collective& call) {
    return {*transport_,  label(),       call,     timeout(),
            tag_of(call), options_.flow, scratch_, options_.hook.get()};
  }
  RankOf self() const { return {rank(), size()}; }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    struct Wish {
      std::int32_t color, key;
    };
    static_assert(sizeof(Wish) == sizeof(double));
    std::vector<Wish> wishes(static_cast<std::size_t>(size()));
    wishes[static_cast<std::size_t>(rank())] = {color, key};
    const Tensor whole{wishes.data(), {size()}, DType::kFloat64};
    do_all_gather_parts(whole, equal_bounds(size(), size()), call);
    std::vector<int> members;
    for (int r = 0; r < size(); ++r) {
      if (wishes[static_cast<std::size_t>(r)].color == color) members.push_back(r);
    }
    std::stable_sort(members.begin(), members.end(), [&](int a, int b) {
      return wishes[static_cast<std::size_t>(a)].key < wishes[static_cast<std::size_t>(b)].key;
    });
    return make_transport_communicator(transport_->split(members, call.sequence), options_);
  }

  std::unique_ptr<SideChannel> do_side_channel(const Collective& call) override {
    do_barrier(call);
    std::vector<int> everyone;
    for (int r = 0; r < size(); ++r) everyone.push_back(r);
    return make_p2p_side_channel(transport_->split(everyone, call.sequence));
  }

  // In round k every rank hears, through others, of 2^k more.
  void do_barrier(const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    for (int distance = 1; distance < size(); distance *= 2) {
      std::byte leaving{}, arriving{};
      messages.run({(rank() + distance) % size(), {bytes_of(leaving)}},
                   {(rank() - distance + size()) % size(), {bytes_of(arriving)}});
    }
  }

  // A binomial tree: in round k the ranks below 2^k (counted from the root) pass on to those 2^k
  // above.
  void relay(PipelinedSendRecv& messages, Chunk bytes, int root) const {
    const int place = (rank() - root + size()) % size();
    const auto at = [&](int other) { return (other + root) % size(); };
    const int first = static_cast<int>(std::bit_ceil(static_cast<unsigned>(place) + 1));
    std::vector<int> children;
    for (int k = first; place + k < size(); k *= 2) children.push_back(at(place + k));
    const int parent =
        place == 0 ? -1
                   : at(place - static_cast<int>(std::bit_floor(static_cast<unsigned>(place))));
    messages.relay(parent, children, bytes);
  }
  void do_broadcast(const Tensor& tensor, int root, const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    relay(messages, bytes_of(tensor), root);
  }
  std::string do_broadcast_bytes(std::string_view bytes, int root,
                                 const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    std::uint64_t length = bytes.size();
    relay(messages, bytes_of(length), root);
    std::string text(rank() == root ? bytes : std::string_view());
    text.resize(length);
    relay(messages, bytes_of(text), root);
    return text;
  }

  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    if (tensor.bytes() <= options_.whole_bytes) {
      return tree_all_reduce(messages, self(), tensor, reduce);
    }
    const auto bounds = equal_bounds(tensor.elements(), size());
    tree_reduce_scatter(messages, self(), {tensor, bounds}, reduce, Wire::kExact);
    gather_parts(messages, self(), {tensor, bounds});
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    const auto bounds = equal_bounds(to.elements(), size());
    const Chunk own = Parts{to, bounds}.part(rank());
    if (!own.empty() && own.data() != from.data) std::memmove(own.data(), from.data, own.size());
    do_all_gather_parts(to, bounds, call);
  }
  void do_all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    gather_parts(messages, self(), {whole, bounds});
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    const auto bounds = equal_bounds(from.elements(), size());
    const Parts parts{from, bounds};
    tree_reduce_scatter(messages, self(), parts, reduce, Wire::kExact);
    const Chunk own = parts.part(rank());
    if (!own.empty() && own.data() != to.data) std::memmove(to.data, own.data(), own.size());
  }
  void do_reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    tree_reduce_scatter(messages, self(), {whole, bounds}, Reduce::kSum, wire);
  }

  void do_reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    reduce_within_groups(messages, self(), {whole, bounds}, Reduce::kSum, wire);
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    std::vector<Chunk> chunks;
    for (const Tensor& part : parts) chunks.push_back(bytes_of(part));
    const Chunk before = onto.defined() ? bytes_of(onto) : Chunk{};
    fold_over_groups(messages, self(), {DType::kFloat32, Reduce::kSum, wire}, chunks, before);
  }

  void do_send(const Tensor& tensor, int to, const Collective& call) override {
    flow(call).send(to, bytes_of(tensor));
  }
  void do_receive(const Tensor& tensor, int from, const Collective& call) override {
    flow(call).receive(from, bytes_of(tensor));
  }

  std::vector<std::string> do_gather(std::string_view bytes, int root,
                                     const Collective& call) override {
    PipelinedSendRecv messages = flow(call);
    std::string own(bytes);
    if (rank() != root) {
      std::uint64_t length = own.size();
      messages.send(root, bytes_of(length));
      messages.send(root, bytes_of(own));
      return {};
    }
    std::vector<std::string> all;
    for (int r = 0; r < size(); ++r) {
      if (r == root) {
        all.push_back(own);
        continue;
      }
      std::uint64_t length = 0;
      messages.receive(r, bytes_of(length));
      all.emplace_back(length, '\0');
      messages.receive(r, bytes_of(all.back()));
    }
    return all;
  }

  std::unique_ptr<Transport> transport_;
  TransportOptions options_;
  std::vector<std::byte> scratch_;
};

}  // namespace

std::unique_ptr<Communicator> make_transport_communicator(std::unique_ptr<Transport> transport,
                                                          const TransportOptions& options) {
  return std::make_unique<P2pCommunicator>(std::move(transport), options);
}

}  // namespace edt
