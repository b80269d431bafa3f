// The one seam between ranks. Everything that travels goes through here: the public functions check
// their arguments, count the collective and hand it to the implementation (self, threads, mpi,
// nccl).
//
// Sums are taken over a tree whose leaves are the ranks in order (parallel/comm/tree_reduce.h), so
// their bits do not depend on arrival. All ranks of a communicator call the same collectives in the
// same order, from one thread at a time; work that overlaps uses a communicator of its own (split).
// docs/communication.md: the algorithms and what they put on the wire.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace edt {

class CommunicationError : public Error {
  using Error::Error;
};

enum class Reduce { kSum, kMax, kMin, kOr };  // kOr: logical, on int32
std::string_view name_of(Reduce reduce);

// How float32 travels (parallel/comm/wire.h); sums are taken in float32 either way. With kBFloat16
// partial sums are rounded wherever they leave. The others round once: each rank gives every other
// one its term, and what is given is the whole sum's term.
enum class Wire {
  kExact,
  kBFloat16,
  kBFloat16Once,
  kInt8,  // blocks of integers with a scale (ZeRO++, arXiv 2306.10209)
};

using Seconds = std::chrono::duration<double>;

// One call, as errors and the flight recorder name it.
struct Collective {
  std::string_view operation;  // "all_reduce"
  std::string_view label;      // what it carries: "gradients of blocks.3"
  std::uint64_t sequence = 0;  // counts the collectives of this communicator
  std::size_t bytes = 0;       // of this rank's argument
};

class Communicator;

// Is told of every collective: the flight recorder. Calls come from the threads of the collectives.
class CollectiveObserver {
 public:
  virtual ~CollectiveObserver() = default;
  virtual void joined(const Communicator& communicator) = 0;
  virtual void left(const Communicator& communicator) = 0;
  // Returns what end() receives. A collective that fails has no end.
  virtual std::uint64_t begin(const Communicator& communicator, const Collective& call) = 0;
  virtual void end(std::uint64_t ticket) = 0;
};

// Small messages beside the collectives, which never wait for the other side. For one thread, which
// may be another than the communicator's.
class SideChannel {
 public:
  struct ControlMessage {
    int from;
    std::string bytes;
  };

  virtual ~SideChannel() = default;
  virtual void post(int to, std::string_view bytes) = 0;
  // Whether all that was posted has reached its receivers. What has not is lost with the channel.
  virtual bool delivered() = 0;
  // The next message that has arrived.
  virtual std::optional<ControlMessage> poll() = 0;
};

class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator();

  virtual std::string_view backend() const = 0;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const std::string& host() const = 0;
  bool is_root() const { return rank() == 0; }
  // "rank 3 of 8 on node07"
  std::string name() const;
  // "world", or the label of the split that made it.
  const std::string& label() const { return label_; }
  // The same on its ranks and different from all others': two halves of a split share the label.
  const std::string& id() const { return id_; }
  std::uint64_t collectives() const { return sequence_; }

  // How long a collective may go without any progress before it fails. Inherited by split.
  void set_timeout(Seconds timeout) { timeout_ = timeout; }
  Seconds timeout() const { return timeout_; }
  // Inherited by split.
  void set_observer(std::shared_ptr<CollectiveObserver> observer);

  // Ranks that pass the same color form a new communicator, ordered by (key, rank).
  std::unique_ptr<Communicator> split(int color, int key, std::string_view label);
  // Splits into groups of `count` neighbouring ranks, and into the ranks with the same place in
  // such groups. `count` divides size().
  std::unique_ptr<Communicator> neighbours(int count, std::string_view label);
  std::unique_ptr<Communicator> counterparts(int count, std::string_view label);
  // All ranks together. Must not outlive the communicator.
  std::unique_ptr<SideChannel> side_channel(std::string_view label);

  void barrier(std::string_view label);
  // `tensor` of `root` everywhere.
  void broadcast(const Tensor& tensor, int root, std::string_view label);
  // Combines `tensor` of all ranks in place.
  void all_reduce(const Tensor& tensor, Reduce reduce, std::string_view label);
  // `to` holds the `from` of all ranks in order; `from` may be this rank's part of `to`.
  void all_gather(const Tensor& from, const Tensor& to, std::string_view label);
  // Combines `from` of all ranks; `to` receives part rank() of size() equal parts, and may be that
  // part of `from`. The rest of `from` holds partial results afterwards.
  void reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce, std::string_view label);
  // Both in place, over parts of unequal, also zero, size: `bounds` has size() + 1 ascending
  // element offsets of `whole`, rank r's part is [bounds[r], bounds[r + 1]). float32: this rank's
  // part becomes the sum over all ranks, the other parts hold partial sums.
  void reduce_scatter_parts(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                            std::string_view label);
  // The two halves of reduce_scatter_parts, for sums that go on in between. Ranks form groups
  // (parallel/comm/rank_groups.h). After reduce_groups the parts of this rank and its counterparts
  // hold sums over this rank's group. Not with a wire that rounds once.
  void reduce_groups(const Tensor& whole, std::span<const std::int64_t> bounds, Wire wire,
                     std::string_view label);
  // `parts`, float32: what this rank has for each of its counterparts and itself, by group
  // (group_parts()). Its own becomes `onto`, where that is defined, plus those of all groups for it
  // in order; the others stay.
  void fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                   std::string_view label);
  // Each rank's part is in place before, all parts everywhere after.
  void all_gather_parts(const Tensor& whole, std::span<const std::int64_t> bounds,
                        std::string_view label);
  void send(const Tensor& tensor, int to, std::string_view label);
  void receive(const Tensor& tensor, int from, std::string_view label);
  // The byte strings of all ranks at `root`, in order; empty elsewhere.
  std::vector<std::string> gather(std::string_view bytes, int root, std::string_view label);
  // The byte string of `root` everywhere.
  std::string broadcast(std::string_view bytes, int root, std::string_view label);

  // One number of each rank, combined.
  template <class T>
  T all_reduce_value(T value, Reduce reduce, std::string_view label) {
    all_reduce(view_of(std::span<T>(&value, 1), {1}), reduce, label);
    return value;
  }
  // True where any rank says so.
  bool any(bool value, std::string_view label) {
    return all_reduce_value(std::int32_t{value}, Reduce::kOr, label) != 0;
  }

  // The first text that is not empty, in the order of the ranks; the same on all ranks.
  std::string first_of_all(std::string_view text, std::string_view label);

  // Ends the whole job, so that no rank waits for this one. May be called from any thread.
  [[noreturn]] virtual void abort(int status) = 0;

 private:
  virtual std::unique_ptr<Communicator> do_split(int color, int key, const Collective&) = 0;
  // For those that are split without hearing of the other ranks.
  virtual std::unique_ptr<Communicator> do_neighbours(int count, const Collective& call) {
    return do_split(rank() / count, rank(), call);
  }
  virtual std::unique_ptr<Communicator> do_counterparts(int count, const Collective& call) {
    return do_split(rank() % count, rank(), call);
  }
  virtual void do_barrier(const Collective&) = 0;
  virtual void do_broadcast(const Tensor&, int root, const Collective&) = 0;
  virtual void do_all_reduce(const Tensor&, Reduce, const Collective&) = 0;
  virtual void do_all_gather(const Tensor& from, const Tensor& to, const Collective&) = 0;
  virtual void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce,
                                 const Collective&) = 0;
  virtual void do_reduce_scatter_parts(const Tensor&, std::span<const std::int64_t> bounds, Wire,
                                       const Collective&) = 0;
  virtual void do_reduce_groups(const Tensor&, std::span<const std::int64_t> bounds, Wire,
                                const Collective&) = 0;
  virtual void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire,
                              const Collective&) = 0;
  virtual void do_all_gather_parts(const Tensor&, std::span<const std::int64_t> bounds,
                                   const Collective&) = 0;
  virtual std::unique_ptr<SideChannel> do_side_channel(const Collective&) = 0;
  virtual void do_send(const Tensor&, int to, const Collective&) = 0;
  virtual void do_receive(const Tensor&, int from, const Collective&) = 0;
  virtual std::vector<std::string> do_gather(std::string_view, int root, const Collective&) = 0;
  virtual std::string do_broadcast_bytes(std::string_view, int root, const Collective&) = 0;

  template <class Split>
  std::unique_ptr<Communicator> make_part(int color, std::string_view label, Split&& split);
  void check_divides(int count, std::string_view label) const;
  static void check_groups_wire(const Collective& call, Wire wire);
  Collective next(std::string_view operation, std::string_view label, std::size_t bytes);
  // A message between two ranks: the others do not take part, so it has numbers of its own.
  Collective next_message(std::string_view operation, std::string_view label, std::size_t bytes);
  // Runs `body` between the observer's begin and end.
  template <class F>
  auto observed(const Collective& call, F&& body);
  void check_rank(const Collective& call, std::string_view what, int value) const;
  void check_parts(const Collective& call, const Tensor& part, const Tensor& whole) const;
  void check_bounds(const Collective& call, const Tensor& whole,
                    std::span<const std::int64_t> bounds) const;
  void check_groups(const Collective& call, std::span<const Tensor> parts,
                    const Tensor& onto) const;

  std::string label_ = "world", id_ = "world";
  Seconds timeout_{1800};
  std::shared_ptr<CollectiveObserver> observer_;
  std::uint64_t sequence_ = 0, messages_ = 0;
};

}  // namespace edt
