#include "parallel/comm/pipelined_sendrecv.h"

#include <algorithm>
#include <array>
#include <deque>

#include "parallel/comm/wire.h"

namespace edt {
namespace {

// Parts of at most `bytes`.
std::vector<Chunk> cut(std::span<const Chunk> chunks, std::size_t bytes) {
  std::vector<Chunk> parts;
  for (const Chunk& chunk : chunks) {
    for (std::size_t begin = 0; begin < chunk.size(); begin += bytes) {
      parts.push_back(chunk.subspan(begin, std::min(bytes, chunk.size() - begin)));
    }
  }
  return parts;
}

}  // namespace

PipelinedSendRecv::PipelinedSendRecv(Transport& transport, std::string_view communicator,
                                     const Collective& call, Seconds timeout, int tag,
                                     const FlowLimits& limits, std::vector<std::byte>& scratch,
                                     const WaitHook* hook)
    : transport_(transport),
      communicator_(communicator),
      call_(call),
      timeout_(timeout),
      tag_(tag),
      limits_(limits),
      scratch_(scratch),
      hook_(hook) {
  take_scratch(2, limits.message_bytes);
}

Chunk PipelinedSendRecv::take_scratch(std::size_t count, std::size_t message) {
  const std::size_t bytes = count * limits_.window * message;
  if (scratch_.size() < bytes) scratch_.resize(bytes);
  return Chunk(scratch_).first(bytes);
}

// Both sides cut by the number of peers, which is the same on all ranks.
std::size_t PipelinedSendRecv::message_bytes(std::size_t peers) const {
  constexpr std::size_t kLeast = 16 << 10, kAlign = kInt8Block * sizeof(float);
  const std::size_t share = limits_.message_bytes / peers / kAlign * kAlign;
  return std::max(share, std::min(limits_.message_bytes, kLeast));
}

void PipelinedSendRecv::Waiting::add(Message* message, int peer) {
  messages.push_back(message);
  if (std::ranges::find(peers, peer) == peers.end()) peers.push_back(peer);
}

void PipelinedSendRecv::fail_with(const std::string& reason) const {
  fail<CommunicationError>(call_.operation, "\"{}\", #{} of \"{}\": rank {} of {} on {} {}",
                           call_.label, call_.sequence, communicator_, transport_.rank(),
                           transport_.size(), transport_.host(), reason);
}

void PipelinedSendRecv::wait_any(std::span<Message* const> messages, std::span<const int> peers) {
  constexpr auto kLook = std::chrono::milliseconds(50);
  try {
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout_);
    const bool looks = hook_ != nullptr && hook_->look;
    for (;;) {
      const auto until = looks ? std::min(end, Clock::now() + kLook) : end;
      if (transport_.wait_any(messages, until)) return;
      if (until == end) break;
      hook_->look();
    }
  } catch (const TransportError& error) {
    fail_with(error.what());
  }
  fail_with(
      fmt::format("waited {:.3g} s for rank {}", timeout_.count(), fmt::join(peers, " and ")));
}

void PipelinedSendRecv::wait(Pending& message, int peer) {
  Message* const one = message.get();
  wait_any({&one, 1}, {&peer, 1});
  message.reset();
}

// Messages that are on their way at the same time as those of others.
class PipelinedSendRecv::Way {
 public:
  virtual ~Way() = default;
  // Retires what is complete and posts as many more as the window allows.
  virtual void advance() = 0;
  virtual bool done() const = 0;
  virtual void waits(Waiting& waiting) const = 0;
};

// The messages of one transfer, in order: those before `posted_` have been handed to the transport,
// the oldest of them is at the front of `pending_`.
class PipelinedSendRecv::OneWay final : public Way {
 public:
  // `slots`: a window of messages of `message` bytes, for a codec.
  OneWay(PipelinedSendRecv& flow, Transfer transfer, bool outgoing, std::size_t message,
         Chunk slots)
      : flow_(flow),
        transfer_(std::move(transfer)),
        outgoing_(outgoing),
        message_(message),
        slots_(slots),
        parts_(transfer_.empty() ? std::vector<Chunk>{} : cut(transfer_.chunks, message)) {}

  bool done() const override { return posted_ == parts_.size() && pending_.empty(); }
  void waits(Waiting& waiting) const override {
    if (!pending_.empty()) waiting.add(pending_.front().get(), transfer_.peer);
  }

  void advance() override {
    Transport& transport = flow_.transport_;
    while (!pending_.empty() && transport.complete(*pending_.front())) {
      const std::size_t index = posted_ - pending_.size();
      pending_.pop_front();
      if (!outgoing_ && transfer_.codec) transfer_.codec(parts_[index], wire(index));
    }
    while (posted_ < parts_.size() && pending_.size() < flow_.limits_.window) {
      const Chunk bytes = transfer_.codec ? wire(posted_) : parts_[posted_];
      if (outgoing_ && transfer_.codec) transfer_.codec(parts_[posted_], bytes);
      pending_.push_back(outgoing_ ? transport.send(bytes, transfer_.peer, flow_.tag_)
                                   : transport.receive(bytes, transfer_.peer, flow_.tag_));
      ++posted_;
    }
  }

 private:
  Chunk wire(std::size_t index) const {
    return slots_.subspan(index % flow_.limits_.window * message_,
                          wire_bytes(transfer_.wire, parts_[index].size()));
  }

  PipelinedSendRecv& flow_;
  Transfer transfer_;
  bool outgoing_;
  std::size_t message_;
  Chunk slots_;
  std::vector<Chunk> parts_;
  std::size_t posted_ = 0;
  std::deque<Pending> pending_;
};

// A message from each peer for each part, which is combined once all of them are there.
class PipelinedSendRecv::FoldIn final : public Way {
 public:
  // `slots`: a window of messages for each peer.
  FoldIn(PipelinedSendRecv& flow, Fold fold, std::size_t message, Chunk slots)
      : flow_(flow),
        fold_(std::move(fold)),
        message_(message),
        slots_(slots),
        parts_(cut({&fold_.memory, 1}, message)),
        pending_(flow.limits_.window * fold_.peers.size()) {}

  bool done() const override { return combined_ == parts_.size(); }
  void waits(Waiting& waiting) const override {
    for (std::size_t p = 0; !done() && p < fold_.peers.size(); ++p) {
      if (const Pending& one = pending_[slot(combined_, p)]) waiting.add(one.get(), fold_.peers[p]);
    }
  }

  void advance() override {
    for (; combined_ < posted_ && has_arrived(combined_); ++combined_) {
      std::vector<Chunk> arrived;
      for (std::size_t p = 0; p < fold_.peers.size(); ++p) arrived.push_back(wire(combined_, p));
      fold_.combine(parts_[combined_], arrived);
    }
    for (; posted_ < std::min(parts_.size(), combined_ + flow_.limits_.window); ++posted_) {
      for (std::size_t p = 0; p < fold_.peers.size(); ++p) {
        pending_[slot(posted_, p)] =
            flow_.transport_.receive(wire(posted_, p), fold_.peers[p], flow_.tag_);
      }
    }
  }

 private:
  std::size_t slot(std::size_t index, std::size_t peer) const {
    return index % flow_.limits_.window * fold_.peers.size() + peer;
  }
  Chunk wire(std::size_t index, std::size_t peer) const {
    return slots_.subspan(slot(index, peer) * message_,
                          wire_bytes(fold_.wire, parts_[index].size()));
  }
  bool has_arrived(std::size_t index) {
    bool all = true;
    for (std::size_t p = 0; p < fold_.peers.size(); ++p) {
      Pending& one = pending_[slot(index, p)];
      if (one && flow_.transport_.complete(*one)) one.reset();
      all = all && !one;
    }
    return all;
  }

  PipelinedSendRecv& flow_;
  Fold fold_;
  std::size_t message_;
  Chunk slots_;
  std::vector<Chunk> parts_;
  std::size_t posted_ = 0, combined_ = 0;
  std::vector<Pending> pending_;
};

void PipelinedSendRecv::drive(std::span<Way* const> ways) {
  Waiting waiting;
  try {
    for (;;) {
      for (Way* way : ways) way->advance();
      if (std::ranges::all_of(ways, &Way::done)) return;
      waiting.messages.clear();
      waiting.peers.clear();
      for (const Way* way : ways) way->waits(waiting);
      wait_any(waiting.messages, waiting.peers);
    }
  } catch (const TransportError& error) {
    fail_with(error.what());
  }
}

void PipelinedSendRecv::run(Transfer outgoing, Transfer incoming) {
  const std::size_t message = limits_.message_bytes, window = limits_.window * message;
  const Chunk slots = take_scratch(2, message);
  OneWay in(*this, std::move(incoming), false, message, slots.first(window)),
      out(*this, std::move(outgoing), true, message, slots.subspan(window));
  const std::array<Way*, 2> ways{&in, &out};
  drive(ways);
}

void PipelinedSendRecv::run_all(std::vector<Transfer> outgoing, std::vector<Transfer> incoming) {
  const std::size_t message = message_bytes(outgoing.size()), window = limits_.window * message;
  const Chunk slots = take_scratch(outgoing.size() + incoming.size(), message);
  std::deque<OneWay> all;
  const auto add = [&](std::vector<Transfer>& transfers, bool leave) {
    for (Transfer& one : transfers) {
      all.emplace_back(*this, std::move(one), leave, message,
                       slots.subspan(all.size() * window, window));
    }
  };
  add(incoming, false);
  add(outgoing, true);
  std::vector<Way*> ways;
  for (OneWay& one : all) ways.push_back(&one);
  drive(ways);
}

void PipelinedSendRecv::run_fold(std::vector<Transfer> outgoing, Fold incoming) {
  const std::size_t peers = incoming.peers.size(), message = message_bytes(peers);
  const std::size_t window = limits_.window * message;
  const Chunk slots = take_scratch(2 * peers, message);
  FoldIn in(*this, std::move(incoming), message, slots.first(peers * window));
  std::deque<OneWay> out;
  for (Transfer& one : outgoing) {
    out.emplace_back(*this, std::move(one), true, message,
                     slots.subspan((peers + out.size()) * window, window));
  }
  std::vector<Way*> ways{&in};
  for (OneWay& one : out) ways.push_back(&one);
  drive(ways);
}

void PipelinedSendRecv::relay(int from, std::span<const int> to, Chunk bytes) {
  const std::vector<Chunk> parts = cut({&bytes, 1}, limits_.message_bytes);
  std::deque<Pending> arriving;
  std::deque<std::pair<Pending, int>> leaving;
  try {
    for (std::size_t i = 0, posted = 0; i < parts.size(); ++i) {
      for (; from >= 0 && posted < std::min(parts.size(), i + limits_.window); ++posted) {
        arriving.push_back(transport_.receive(parts[posted], from, tag_));
      }
      if (from >= 0) {
        wait(arriving.front(), from);
        arriving.pop_front();
      }
      for (const int child : to)
        leaving.emplace_back(transport_.send(parts[i], child, tag_), child);
      for (; leaving.size() > limits_.window * to.size(); leaving.pop_front()) {
        wait(leaving.front().first, leaving.front().second);
      }
    }
    for (; !leaving.empty(); leaving.pop_front()) {
      wait(leaving.front().first, leaving.front().second);
    }
  } catch (const TransportError& error) {
    fail_with(error.what());
  }
}

}  // namespace edt
