#include "parallel/comm/p2p_mailbox.h"

#include <deque>

namespace edt {
namespace {

constexpr int kLetterTag = 0;

class P2pMailbox final : public Mailbox {
 public:
  explicit P2pMailbox(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}

  void post(int to, std::string_view bytes) override {
    if (to == transport_->rank()) {
      to_self_.push_back({to, std::string(bytes)});
      return;
    }
    retire();
    // A rank that does not read its letters (it is frozen) must not fill the memory of others.
    constexpr std::size_t kMostUnread = 1024;
    if (leaving_.size() >= kMostUnread) leaving_.pop_front();
    auto text = std::make_unique<std::string>(bytes);
    auto message = transport_->send(std::as_bytes(std::span<const char>(*text)), to, kLetterTag);
    leaving_.push_back({std::move(text), std::move(message)});
  }

  bool delivered() override {
    retire();
    return leaving_.empty() && to_self_.empty();
  }

  std::optional<Letter> poll() override {
    retire();
    if (!arriving_) begin_receive();
    if (arriving_ && transport_->complete(*arriving_)) {
      arriving_.reset();
      return std::move(letter_);
    }
    if (to_self_.empty()) return std::nullopt;
    Letter first = std::move(to_self_.front());
    to_self_.pop_front();
    return first;
  }

 private:
  struct Leaving {
    std::unique_ptr<std::string> text;
    std::unique_ptr<Message> message;
  };

  void begin_receive() {
    const auto envelope = transport_->probe(kLetterTag);
    if (!envelope) return;
    letter_ = {envelope->from, std::string(envelope->bytes, '\0')};
    arriving_ = transport_->receive(std::as_writable_bytes(std::span<char>(letter_.bytes)),
                                    letter_.from, kLetterTag);
  }
  void retire() {
    std::erase_if(leaving_, [&](Leaving& one) { return transport_->complete(*one.message); });
  }

  std::unique_ptr<Transport> transport_;
  std::deque<Leaving> leaving_;
  std::deque<Letter> to_self_;
  Letter letter_;
  std::unique_ptr<Message> arriving_;  // into letter_
};

}  // namespace

std::unique_ptr<Mailbox> make_transport_mailbox(std::unique_ptr<Transport> transport) {
  return std::make_unique<P2pMailbox>(std::move(transport));
}

}  // namespace edt
