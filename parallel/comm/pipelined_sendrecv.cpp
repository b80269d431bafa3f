#include "parallel/comm/pipelined_sendrecv.h"

#include <algorithm>
#include <array>
#include <deque>

namespace edt {
namespace {

// Parts of at most `bytes`.
std::vector<Piece> cut(std::span<const Piece> pieces, std::size_t bytes) {
  std::vector<Piece> parts;
  for (const Piece& piece : pieces) {
    for (std::size_t begin = 0; begin < piece.size(); begin += bytes) {
      parts.push_back(piece.subspan(begin, std::min(bytes, piece.size() - begin)));
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

// The messages of one lane, in order: those before `posted_` have been handed to the transport, the
// oldest of them is at the front of `pending_`.
class PipelinedSendRecv::OneWay {
 public:
  OneWay(PipelinedSendRecv& flow, Lane lane, bool outgoing)
      : flow_(flow),
        lane_(std::move(lane)),
        outgoing_(outgoing),
        parts_(lane_.empty() ? std::vector<Piece>{}
                             : cut(lane_.pieces, flow.limits_.message_bytes)) {}

  bool done() const { return posted_ == parts_.size() && pending_.empty(); }
  Message* oldest() const { return pending_.empty() ? nullptr : pending_.front().get(); }
  int peer() const { return lane_.peer; }

  // Retires what is complete and posts as many more as the window allows.
  void advance() {
    Transport& transport = flow_.transport_;
    while (!pending_.empty() && transport.complete(*pending_.front())) {
      const std::size_t index = posted_ - pending_.size();
      pending_.pop_front();
      if (!outgoing_ && lane_.codec) lane_.codec(parts_[index], wire(index));
    }
    while (posted_ < parts_.size() && pending_.size() < flow_.limits_.window) {
      const Piece bytes = lane_.codec ? wire(posted_) : parts_[posted_];
      if (outgoing_ && lane_.codec) lane_.codec(parts_[posted_], bytes);
      pending_.push_back(outgoing_ ? transport.send(bytes, lane_.peer, flow_.tag_)
                                   : transport.receive(bytes, lane_.peer, flow_.tag_));
      ++posted_;
    }
  }

 private:
  Piece wire(std::size_t index) const {
    const std::size_t slot = index % flow_.limits_.window + (outgoing_ ? flow_.limits_.window : 0);
    return Piece(flow_.scratch_)
        .subspan(slot * flow_.limits_.message_bytes, parts_[index].size() / lane_.shrink);
  }

  PipelinedSendRecv& flow_;
  Lane lane_;
  bool outgoing_;
  std::vector<Piece> parts_;
  std::size_t posted_ = 0;
  std::deque<Pending> pending_;
};

void PipelinedSendRecv::run(Lane outgoing, Lane incoming) {
  OneWay in(*this, std::move(incoming), false), out(*this, std::move(outgoing), true);
  try {
    for (;;) {
      in.advance();
      out.advance();
      if (in.done() && out.done()) return;
      std::array<Message*, 2> messages;
      std::array<int, 2> peers;
      std::size_t count = 0;
      for (const OneWay* lane : {&in, &out}) {
        if (!lane->oldest()) continue;
        messages[count] = lane->oldest();
        peers[count++] = lane->peer();
      }
      const bool same = count == 2 && peers[0] == peers[1];
      wait_any({messages.data(), count}, {peers.data(), same ? 1 : count});
    }
  } catch (const TransportError& error) {
    fail_with(error.what());
  }
}

void PipelinedSendRecv::relay(int from, std::span<const int> to, Piece bytes) {
  const std::vector<Piece> parts = cut({&bytes, 1}, limits_.message_bytes);
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
