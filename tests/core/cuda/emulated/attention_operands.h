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

  AttentionSizes sizes() const {
    const auto narrow = [](std::int64_t value) { return static_cast<int>(value); };
    return {narrow(batch_), narrow(grid_.tokens()), narrow(heads_),
            narrow(size_),  narrow(grid_.rows),     narrow(grid_.columns)};
  }
  cudaStream_t stream() const { return stream_of(*backend_); }
  const Tensor& qkv() const { return qkv_; }

  // out and lse
  std::vector<float> results() const {
    std::vector<bfloat16> out(static_cast<std::size_t>(out_.elements()));
    std::vector<float> lse(static_cast<std::size_t>(lse_.elements()));
    backend_->download(out_, out.data());
    backend_->download(lse_, lse.data());
    std::vector<float> values(out.begin(), out.end());
    values.insert(values.end(), lse.begin(), lse.end());
    return values;
  }

 private:
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
  Tensor qkv_, out_, lse_;
};

}  // namespace edt::test
