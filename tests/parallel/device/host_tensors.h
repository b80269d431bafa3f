// A communicator of tensors in host memory over one of tensors in a device's: so that what every
// communicator must do is checked on those of devices too.
#pragma once

#include <cstdlib>
#include <memory>

#include "core/tensor/device.h"
#include "parallel/communicator.h"

namespace edt::test {

class HostTensors final : public Communicator {
 public:
  // Tensors of types that `ranks` does not carry go over `others`.
  HostTensors(Device& device, std::unique_ptr<Communicator> ranks, Communicator& others,
              bool all_types)
      : device_(device), ranks_(std::move(ranks)), others_(others), all_types_(all_types) {}

  std::string_view backend() const override { return ranks_->backend(); }
  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  const std::string& host() const override { return ranks_->host(); }
  [[noreturn]] void abort(int status) override {
    ranks_->abort(status);
    std::abort();
  }

 private:
  // The tensor's place in device memory; empty tensors too have one.
  Tensor up(const Tensor& host, Block& block) {
    block = Block(device_.memory(), host.bytes() + 1);
    const Tensor tensor{block.data(), host.shape, host.dtype};
    if (host.elements() > 0) device_.upload(host.data, tensor);
    return tensor;
  }
  void down(const Tensor& tensor, const Tensor& host) {
    if (host.elements() > 0) device_.download(tensor, host.data);
  }
  bool carried(const Tensor& tensor) const { return all_types_ || tensor.dtype != DType::kFloat64; }
  template <class Call>
  void in_place(const Tensor& host, Call call) {
    if (!carried(host)) return call(others_, host);
    Block block;
    const Tensor tensor = up(host, block);
    call(*ranks_, tensor);
    down(tensor, host);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return ranks_->split(color, key, call.label);
  }
  void do_barrier(const Collective& call) override { ranks_->barrier(call.label); }
  void do_broadcast(const Tensor& host, int root, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.broadcast(t, root, call.label); });
  }
  void do_all_reduce(const Tensor& host, Reduce reduce, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.all_reduce(t, reduce, call.label); });
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    Block a, b;
    const Tensor source = up(from, a), target = up(to, b);
    ranks_->all_gather(source, target, call.label);
    down(target, to);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    if (!carried(from) || reduce != Reduce::kSum || from.dtype == DType::kInt32) {
      return others_.reduce_scatter(from, to, reduce, call.label);
    }
    Block a, b;
    const Tensor source = up(from, a), target = up(to, b);
    ranks_->reduce_scatter(source, target, reduce, call.label);
    down(target, to);
  }
  void do_reduce_scatter_parts(const Tensor& host, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) {
      ranks.reduce_scatter_parts(t, bounds, wire, call.label);
    });
  }
  void do_all_gather_parts(const Tensor& host, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    in_place(host,
             [&](auto& ranks, const Tensor& t) { ranks.all_gather_parts(t, bounds, call.label); });
  }
  std::unique_ptr<Mailbox> do_mailbox(const Collective& call) override {
    return ranks_->mailbox(call.label);
  }
  void do_send(const Tensor& host, int to, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.send(t, to, call.label); });
  }
  void do_receive(const Tensor& host, int from, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.receive(t, from, call.label); });
  }
  std::vector<std::string> do_gather(std::string_view bytes, int root,
                                     const Collective& call) override {
    return ranks_->gather(bytes, root, call.label);
  }
  std::string do_broadcast_bytes(std::string_view bytes, int root,
                                 const Collective& call) override {
    return ranks_->broadcast(bytes, root, call.label);
  }

  Device& device_;
  std::unique_ptr<Communicator> ranks_;
  Communicator& others_;
  bool all_types_;
};

}  // namespace edt::test
