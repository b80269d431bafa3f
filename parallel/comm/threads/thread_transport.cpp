#include "parallel/comm/threads/thread_transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace edt {

void ThreadJob::fail(std::string reason, std::exception_ptr exception) {
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  reason_ = std::move(reason);
  exception_ = std::move(exception);
  failed_ = true;
}

std::string ThreadJob::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

std::exception_ptr ThreadJob::exception() const {
  const std::lock_guard lock(mutex_);
  return exception_;
}

// One side of a message.
struct MessageTerms {
  std::byte* data;
  std::size_t size;
  int from, to, tag;
  bool is_send;
};

// Its state is guarded by the group's mutex.
class ThreadMessage final : public Message, public MessageTerms {
 public:
  enum class State { kPosted, kCopying, kComplete, kWrongSize };

  ThreadMessage(std::shared_ptr<ThreadGroup> of_group, const MessageTerms& terms)
      : MessageTerms(terms), group(std::move(of_group)) {}

  ~ThreadMessage() override {
    std::unique_lock lock(group->mutex);
    if (state == State::kPosted) std::erase(queue(is_send), this);
    group->ranks[static_cast<std::size_t>(to)].bell.wait(lock,
                                                         [&] { return state != State::kCopying; });
  }

  std::deque<ThreadMessage*>& queue(bool sends) const {
    auto& rank = group->ranks[static_cast<std::size_t>(to)];
    return sends ? rank.sends : rank.receives;
  }

  // Meets the oldest message of the other side, or waits in the queue for it.
  void post() {
    std::unique_lock lock(group->mutex);
    auto& others = queue(!is_send);
    const auto found = std::find_if(others.begin(), others.end(), [&](const ThreadMessage* other) {
      return other->from == from && other->tag == tag;
    });
    if (found == others.end()) {
      queue(is_send).push_back(this);
      return;
    }
    ThreadMessage& other = **found;
    others.erase(found);
    state = other.state = State::kCopying;
    lock.unlock();
    const bool fits = size == other.size;
    if (fits && size > 0) {
      std::memcpy(is_send ? other.data : data, is_send ? data : other.data, size);
    }
    lock.lock();
    state = other.state = fits ? State::kComplete : State::kWrongSize;
    if (!fits) other_size = other.size, other.other_size = size;
    group->ranks[static_cast<std::size_t>(from)].bell.notify_all();
    group->ranks[static_cast<std::size_t>(to)].bell.notify_all();
  }

  std::shared_ptr<ThreadGroup> group;
  std::size_t other_size = 0;
  State state = State::kPosted;
};

namespace {

class ThreadTransport final : public Transport {
 public:
  ThreadTransport(std::shared_ptr<ThreadGroup> group, int rank)
      : group_(std::move(group)), rank_(rank) {}

  std::string_view name() const override { return "threads"; }
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(group_->ranks.size()); }
  const std::string& host() const override { return host_; }

  std::unique_ptr<Message> send(std::span<const std::byte> bytes, int to, int tag) override {
    return post({const_cast<std::byte*>(bytes.data()), bytes.size(), rank_, to, tag, true});
  }
  std::unique_ptr<Message> receive(std::span<std::byte> bytes, int from, int tag) override {
    return post({bytes.data(), bytes.size(), from, rank_, tag, false});
  }

  bool complete(Message& message) override {
    const std::lock_guard lock(group_->mutex);
    return is_complete(message);
  }

  bool wait_any(std::span<Message* const> messages, Clock::time_point deadline) override {
    constexpr auto kLookForFailures = std::chrono::milliseconds(5);
    const auto any = [&] {
      return std::any_of(messages.begin(), messages.end(),
                         [&](Message* message) { return is_complete(*message); });
    };
    std::unique_lock lock(group_->mutex);
    auto& bell = group_->ranks[static_cast<std::size_t>(rank_)].bell;
    while (!any()) {
      if (group_->job->failed()) throw TransportError("stops: " + group_->job->reason());
      const auto now = Clock::now();
      if (now >= deadline) return false;
      bell.wait_until(lock, std::min(deadline, now + kLookForFailures));
    }
    return true;
  }

  std::optional<Envelope> probe(int tag) override {
    const std::lock_guard lock(group_->mutex);
    for (const ThreadMessage* message : group_->ranks[static_cast<std::size_t>(rank_)].sends) {
      if (message->tag == tag) return Envelope{message->from, message->size};
    }
    return std::nullopt;
  }

  std::unique_ptr<Transport> split(std::span<const int> members, std::uint64_t id) override {
    const std::lock_guard lock(group_->mutex);
    auto& slot = group_->children[{id, members[0]}];
    std::shared_ptr<ThreadGroup> child = slot.lock();
    if (!child) {
      child = std::make_shared<ThreadGroup>(group_->job, static_cast<int>(members.size()));
      slot = child;
    }
    const auto place = std::find(members.begin(), members.end(), rank_) - members.begin();
    return make_thread_transport(std::move(child), static_cast<int>(place));
  }

  [[noreturn]] void abort(int status) override {
    const std::string reason = fmt::format("rank {} aborted with status {}", rank_, status);
    group_->job->fail(reason, std::make_exception_ptr(TransportError(reason)));
    throw TransportError(reason);
  }

 private:
  std::unique_ptr<Message> post(const MessageTerms& terms) {
    auto message = std::make_unique<ThreadMessage>(group_, terms);
    message->post();
    return message;
  }

  bool is_complete(Message& base) const {
    const auto& message = static_cast<ThreadMessage&>(base);
    if (message.state == ThreadMessage::State::kWrongSize) {
      throw TransportError(fmt::format(
          "has {} bytes {} rank {}, which has {}", message.size, message.is_send ? "for" : "from",
          message.is_send ? message.to : message.from, message.other_size));
    }
    return message.state == ThreadMessage::State::kComplete;
  }

  std::shared_ptr<ThreadGroup> group_;
  int rank_;
  std::string host_ = "thread";
};

}  // namespace

std::unique_ptr<Transport> make_thread_transport(std::shared_ptr<ThreadGroup> group, int rank) {
  return std::make_unique<ThreadTransport>(std::move(group), rank);
}

}  // namespace edt
