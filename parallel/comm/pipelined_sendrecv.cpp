#include "parallel/comm/pipelined_sendrecv.h"

#include <algorithm>
#include <array>
#include <deque>

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
  scratch_.resize(2 * limits.window * limits.message_bytes);
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

// The messages of one transfer, in order: those before `posted_` have been handed to the transport,
// the oldest of them is at the front of `pending_`.
class PipelinedSendRecv::OneWay {
 public:
  OneWay(PipelinedSendRecv& flow, Transfer transfer, bool outgoing)
      : flow_(flow),
        transfer_(std::move(transfer)),
        outgoing_(outgoing),
        parts_(transfer_.empty() ? std::vector<Chunk>{}
                                 : cut(transfer_.chunks, flow.limits_.message_bytes)) {}

  bool done() const { return posted_ == parts_.size() && pending_.empty(); }
  Message* oldest() const { return pending_.empty() ? nullptr : pending_.front().get(); }
  int peer() const { return transfer_.peer; }

  // Retires what is complete and posts as many more as the window allows.
  void advance() {
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
    const std::size_t slot = index % flow_.limits_.window + (outgoing_ ? flow_.limits_.window : 0);
    return Chunk(flow_.scratch_)
        .subspan(slot * flow_.limits_.message_bytes, parts_[index].size() / transfer_.shrink);
  }

  PipelinedSendRecv& flow_;
  Transfer transfer_;
  bool outgoing_;
  std::vector<Chunk> parts_;
  std::size_t posted_ = 0;
  std::deque<Pending> pending_;
};

void PipelinedSendRecv::run(Transfer outgoing, Transfer incoming) {
  OneWay in(*this, std::move(incoming), false), out(*this, std::move(outgoing), true);
  try {
    for (;;) {
      in.advance();
      out.advance();
      if (in.done() && out.done()) return;
      std::array<Message*, 2> messages;
      std::array<int, 2> peers;
      std::size_t count = 0;
      for (const OneWay* way : {&in, &out}) {
        if (!way->oldest()) continue;
        messages[count] = way->oldest();
        peers[count++] = way->peer();
      }
      const bool same = count == 2 && peers[0] == peers[1];
      wait_any({messages.data(), count}, {peers.data(), same ? 1 : count});
    }
  } catch (const TransportError& error) {
    fail_with(error.what());
  }
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
