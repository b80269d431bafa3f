#include "parallel/comm/p2p_side_channel.h"

#include <deque>

namespace edt {
namespace {

constexpr int kSideTag = 0;

class P2pSideChannel final : public SideChannel {
 public:
  explicit P2pSideChannel(std::unique_ptr<Transport> transport)
      : transport_(std::move(transport)) {}

  void post(int to, std::string_view bytes) override {
    if (to == transport_->rank()) {
      to_self_.push_back({to, std::string(bytes)});
      return;
    }
    retire();
    // A rank that does not read its messages (it is frozen) must not fill the memory of others.
    constexpr std::size_t kMostUnread = 1024;
    if (leaving_.size() >= kMostUnread) leaving_.pop_front();
    auto text = std::make_unique<std::string>(bytes);
    auto message = transport_->send(std::as_bytes(std::span<const char>(*text)), to, kSideTag);
    leaving_.push_back({std::move(text), std::move(message)});
  }

  bool delivered() override {
    retire();
    return leaving_.empty() && to_self_.empty();
  }

  std::optional<ControlMessage> poll() override {
    retire();
    if (!arriving_) begin_receive();
    if (arriving_ && transport_->complete(*arriving_)) {
      arriving_.reset();
      return std::move(arrived_);
    }
    if (to_self_.empty()) return std::nullopt;
    ControlMessage first = std::move(to_self_.front());
    to_self_.pop_front();
    return first;
  }

 private:
  struct Leaving {
    std::unique_ptr<std::string> text;
    std::unique_ptr<Message> message;
  };

  void begin_receive() {
    const auto envelope = transport_->probe(kSideTag);
    if (!envelope) return;
    arrived_ = {envelope->from, std::string(envelope->bytes, '\0')};
    arriving_ = transport_->receive(std::as_writable_bytes(std::span<char>(arrived_.bytes)),
                                    arrived_.from, kSideTag);
  }
  void retire() {
    std::erase_if(leaving_, [&](Leaving& one) { return transport_->complete(*one.message); });
  }

  std::unique_ptr<Transport> transport_;
  std::deque<Leaving> leaving_;
  std::deque<ControlMessage> to_self_;
  ControlMessage arrived_;
  std::unique_ptr<Message> arriving_;  // into arrived_
};

}  // namespace

std::unique_ptr<SideChannel> make_p2p_side_channel(std::unique_ptr<Transport> transport) {
  return std::make_unique<P2pSideChannel>(std::move(transport));
}

}  // namespace edt
