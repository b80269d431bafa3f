// A communicator of tensors in host memory over one of tensors in a device's: so that what every
// communicator must do is checked on those of devices too.
#pragma once

#include <deque>
#include <memory>

#include "core/tensor/device.h"
#include "parallel/comm/device/delegating_communicator.h"

namespace edt::test {

class HostTensors final : public DelegatingCommunicator {
 public:
  // Tensors of types that `ranks` does not carry go over `others`.
  HostTensors(Device& device, std::unique_ptr<Communicator> ranks, Communicator& others,
              bool all_types)
      : DelegatingCommunicator(std::move(ranks)),
        device_(device),
        others_(others),
        all_types_(all_types) {}

  std::string_view backend() const override { return ranks().backend(); }

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
    call(ranks(), tensor);
    down(tensor, host);
  }

  std::unique_ptr<Communicator> do_split(int color, int key, const Collective& call) override {
    return ranks().split(color, key, call.label);
  }
  void do_broadcast(const Tensor& host, int root, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.broadcast(t, root, call.label); });
  }
  void do_all_reduce(const Tensor& host, Reduce reduce, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.all_reduce(t, reduce, call.label); });
  }
  void do_all_gather(const Tensor& from, const Tensor& to, const Collective& call) override {
    Block a, b;
    const Tensor source = up(from, a), target = up(to, b);
    ranks().all_gather(source, target, call.label);
    down(target, to);
  }
  void do_reduce_scatter(const Tensor& from, const Tensor& to, Reduce reduce,
                         const Collective& call) override {
    if (!carried(from) || reduce != Reduce::kSum || from.dtype == DType::kInt32) {
      return others_.reduce_scatter(from, to, reduce, call.label);
    }
    Block a, b;
    const Tensor source = up(from, a), target = up(to, b);
    ranks().reduce_scatter(source, target, reduce, call.label);
    down(target, to);
  }
  void do_reduce_scatter_parts(const Tensor& host, std::span<const std::int64_t> bounds, Wire wire,
                               const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) {
      ranks.reduce_scatter_parts(t, bounds, wire, call.label);
    });
  }
  void do_reduce_groups(const Tensor& host, std::span<const std::int64_t> bounds, Wire wire,
                        const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) {
      ranks.reduce_groups(t, bounds, wire, call.label);
    });
  }
  void do_fold_groups(std::span<const Tensor> parts, const Tensor& onto, Wire wire,
                      const Collective& call) override {
    std::deque<Block> blocks;
    std::vector<Tensor> tensors;
    for (const Tensor& part : parts) tensors.push_back(up(part, blocks.emplace_back()));
    const Tensor before = onto.defined() ? up(onto, blocks.emplace_back()) : Tensor{};
    ranks().fold_groups(tensors, before, wire, call.label);
    for (std::size_t i = 0; i < parts.size(); ++i) down(tensors[i], parts[i]);
  }
  void do_all_gather_parts(const Tensor& host, std::span<const std::int64_t> bounds,
                           const Collective& call) override {
    in_place(host,
             [&](auto& ranks, const Tensor& t) { ranks.all_gather_parts(t, bounds, call.label); });
  }
  void do_send(const Tensor& host, int to, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.send(t, to, call.label); });
  }
  void do_receive(const Tensor& host, int from, const Collective& call) override {
    in_place(host, [&](auto& ranks, const Tensor& t) { ranks.receive(t, from, call.label); });
  }

  Device& device_;
  Communicator& others_;
  bool all_types_;
};

}  // namespace edt::test
