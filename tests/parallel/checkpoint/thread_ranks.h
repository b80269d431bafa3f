// Ranks as threads, with just the collectives that a checkpoint needs.
#pragma once

#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "parallel/communicator.h"

namespace edt::test {

class ThreadRanks final : public Communicator {
 public:
  struct Shared {
    explicit Shared(int count) : size(count), meet(count), slots(static_cast<std::size_t>(count)) {}
    int size;
    std::barrier<> meet;
    std::vector<std::string> slots;
  };
  ThreadRanks(std::shared_ptr<Shared> shared, int rank) : shared_(std::move(shared)), rank_(rank) {}

  std::string_view backend() const override { return "test threads"; }
  int rank() const override { return rank_; }
  int size() const override { return shared_->size; }
  const std::string& host() const override { return host_; }
  [[noreturn]] void abort(int) override { std::abort(); }

 private:
  std::vector<std::string> exchange(std::string_view bytes) {
    shared_->slots[static_cast<std::size_t>(rank_)] = bytes;
    shared_->meet.arrive_and_wait();
    std::vector<std::string> all = shared_->slots;
    shared_->meet.arrive_and_wait();
    return all;
  }
  std::vector<std::string> do_gather(std::string_view bytes, int root, const Collective&) override {
    auto all = exchange(bytes);
    return rank_ == root ? all : std::vector<std::string>();
  }
  std::string do_broadcast_bytes(std::string_view bytes, int root, const Collective&) override {
    return exchange(bytes)[static_cast<std::size_t>(root)];
  }
  void do_all_reduce(const Tensor& tensor, Reduce reduce, const Collective&) override {
    EDT_ASSERT(tensor.dtype == DType::kFloat64 && tensor.elements() == 1);
    EDT_ASSERT(reduce == Reduce::kSum);
    double sum = 0, value = 0;
    for (const std::string& text :
         exchange({static_cast<const char*>(tensor.data), sizeof(double)})) {
      std::memcpy(&value, text.data(), sizeof(double));
      sum += value;
    }
    *tensor.as<double>() = sum;
  }
  [[noreturn]] static void missing() { fail("test threads", "not needed by checkpoints"); }
  std::unique_ptr<Communicator> do_split(int, int, const Collective&) override { missing(); }
  void do_barrier(const Collective&) override { missing(); }
  void do_broadcast(const Tensor&, int, const Collective&) override { missing(); }
  void do_all_gather(const Tensor&, const Tensor&, const Collective&) override { missing(); }
  void do_reduce_scatter(const Tensor&, const Tensor&, Reduce, const Collective&) override {
    missing();
  }
  void do_send(const Tensor&, int, const Collective&) override { missing(); }
  void do_receive(const Tensor&, int, const Collective&) override { missing(); }

  std::shared_ptr<Shared> shared_;
  int rank_;
  std::string host_ = "here";
};

inline void run_ranks(int count,
                      const std::function<void(int, std::unique_ptr<Communicator>)>& body) {
  const auto shared = std::make_shared<ThreadRanks::Shared>(count);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] { body(rank, std::make_unique<ThreadRanks>(shared, rank)); });
  }
}

}  // namespace edt::test
