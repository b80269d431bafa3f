// Operands of attention in the memory of the emulated GPU, for tests that launch its kernels.
#pragma once

#include <limits>
#include <vector>

#include "core/cuda/cuda_backend.h"
#include "core/cuda/kernels/attention.h"
#include "core/cuda/on_stream.h"
#include "core/ops/cases/case_inputs.h"

namespace edt::test {

class AttentionOperands {
 public:
  AttentionOperands(const TokenGrid& grid, std::int64_t batch, std::int64_t heads,
                    std::int64_t size)
      : batch_(batch), heads_(heads), size_(size), grid_(grid) {}

  // Tokens whose places are looked up take the kernels for any grid.
  AttentionCall call(bool looked_up = false) {
    const std::int64_t tokens = grid_.tokens(), width = heads_ * size_;
    qkv_ = inputs_.tensor("qkv", {batch_, tokens, 3, heads_, size_}, DType::kBFloat16, 1.5);
    const Tensor table = inputs_.tensor("table", {grid_.distances(), heads_}, DType::kBFloat16);
    out_ = inputs_.tensor("out", {batch_, tokens, width}, DType::kBFloat16);
    lse_ = inputs_.tensor("lse", {batch_, heads_, tokens}, DType::kFloat32);
    // What is not written is seen.
    backend_->fill(out_, std::numeric_limits<double>::quiet_NaN());
    backend_->fill(lse_, std::numeric_limits<double>::quiet_NaN());
    return {.dtype = DType::kBFloat16,
            .sizes = sizes(),
            .qkv = qkv_.data,
            .table = table.data,
            .ids = looked_up ? ids().as<std::int32_t>() : nullptr,
            .out = out_.data,
            .lse = lse_.as<float>()};
  }

  // The backward pass of it: behind the forward one, whose lse it reads.
  AttentionCall backward_call(bool accumulate = false, bool has_table = true) {
    AttentionCall backward = call();
    launch_attention_tensor(stream(), backward, 4);
    const std::int64_t tokens = grid_.tokens(), entries = grid_.distances();
    backward.dout = inputs_.tensor("dout", {batch_, tokens, heads_ * size_}, DType::kBFloat16).data;
    dqkv_ = inputs_.tensor("dqkv", {batch_, tokens, 3, heads_, size_}, DType::kBFloat16);
    dtables_ = inputs_.tensor("dtables", {batch_, heads_, entries}, DType::kFloat32);
    const double before = accumulate ? 0.5 : std::numeric_limits<double>::quiet_NaN();
    backend_->fill(dqkv_, before);
    backend_->fill(dtables_, std::numeric_limits<double>::quiet_NaN());
    backward.dqkv = dqkv_.data;
    backward.accumulate = accumulate;
    if (has_table) {
      backward.dtables = dtables_.as<float>();
    } else {
      backward.table = nullptr;
      backend_->fill(dtables_, 0);
    }
    backward.skewed = has_table;
    return backward;
  }

  AttentionSizes sizes() const {
    const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
    return {narrow(batch_), narrow(grid_.tokens()), narrow(heads_),
            narrow(size_),  narrow(grid_.rows),     narrow(grid_.columns)};
  }
  cudaStream_t stream() const { return stream_of(*backend_); }
  const Tensor& qkv() const { return qkv_; }

  // out and lse
  std::vector<float> results() const { return both(out_, lse_); }
  // dqkv and the table's gradient by sample and head
  std::vector<float> gradients() const { return both(dqkv_, dtables_); }

 private:
  std::vector<float> both(const Tensor& first, const Tensor& second) const {
    std::vector<bfloat16> halves(static_cast<std::size_t>(first.elements()));
    std::vector<float> floats(static_cast<std::size_t>(second.elements()));
    backend_->download(first, halves.data());
    backend_->download(second, floats.data());
    std::vector<float> values(halves.begin(), halves.end());
    values.insert(values.end(), floats.begin(), floats.end());
    return values;
  }
  Tensor ids() {
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < batch_ * grid_.tokens(); ++i) {
      ids.push_back(static_cast<std::int32_t>(i % grid_.tokens()));
    }
    return inputs_.labels("ids", ids);
  }

  std::unique_ptr<Backend> backend_ = make_cuda_backend();
  CaseInputs inputs_{*backend_, DType::kBFloat16};
  std::int64_t batch_, heads_, size_;
  TokenGrid grid_;
  Tensor qkv_, out_, lse_, dqkv_, dtables_;
};

}  // namespace edt::test
