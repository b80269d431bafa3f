// Messages between threads, with an account of the bytes that each rank has sent.
#pragma once

#include <atomic>
#include <cstdlib>
#include <deque>
#include <functional>
#include <thread>

#include "parallel/comm/p2p_communicator.h"
#include "parallel/comm/threads/thread_transport.h"

namespace edt::test {

class CountingTransport final : public Transport {
 public:
  CountingTransport(std::unique_ptr<Transport> under, std::atomic<std::int64_t>& sent)
      : under_(std::move(under)), sent_(sent) {}

  std::string_view name() const override { return under_->name(); }
  int rank() const override { return under_->rank(); }
  int size() const override { return under_->size(); }
  const std::string& host() const override { return under_->host(); }
  std::unique_ptr<Message> send(std::span<const std::byte> bytes, int to, int tag) override {
    sent_ += static_cast<std::int64_t>(bytes.size());
    return under_->send(bytes, to, tag);
  }
  std::unique_ptr<Message> receive(std::span<std::byte> bytes, int from, int tag) override {
    return under_->receive(bytes, from, tag);
  }
  bool complete(Message& message) override { return under_->complete(message); }
  bool wait_any(std::span<Message* const> messages, Clock::time_point deadline) override {
    return under_->wait_any(messages, deadline);
  }
  std::optional<Envelope> probe(int tag) override { return under_->probe(tag); }
  std::unique_ptr<Transport> split(std::span<const int> members, std::uint64_t id) override {
    return std::make_unique<CountingTransport>(under_->split(members, id), sent_);
  }
  [[noreturn]] void abort(int status) override {
    under_->abort(status);
    std::abort();  // GCC does not see that a virtual function never returns
  }

 private:
  std::unique_ptr<Transport> under_;
  std::atomic<std::int64_t>& sent_;
};

// Runs `body` on `count` threads; `sent` is what the rank of the call has sent so far.
inline void run_counted(
    int count, const std::function<void(Communicator&, std::atomic<std::int64_t>& sent)>& body) {
  auto job = std::make_shared<ThreadJob>();
  auto group = std::make_shared<ThreadGroup>(job, count);
  std::deque<std::atomic<std::int64_t>> sent(static_cast<std::size_t>(count));
  std::deque<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      auto& own = sent[static_cast<std::size_t>(rank)];
      const auto communicator = make_transport_communicator(
          std::make_unique<CountingTransport>(make_thread_transport(group, rank), own));
      body(*communicator, own);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace edt::test
