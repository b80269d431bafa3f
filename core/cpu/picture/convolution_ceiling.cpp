#include <algorithm>

#include "core/base/clock.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/kernels.h"
#include "core/cpu/picture/onednn_convolution.h"

namespace edt {
namespace {

using Tag = dnnl::memory::format_tag;

// A doubled picture counts as what it is when it is there: a larger one.
class CpuConvolutionCeiling final : public ConvolutionCeiling {
 public:
  CpuConvolutionCeiling(std::span<const ConvolutionCall> calls, dnnl::memory::data_type type);
  double run() override;

 private:
  struct One {
    dnnl::convolution_forward primitive;
    dnnl::memory x, weights, bias, y;
  };
  dnnl::stream stream_;
  std::vector<std::byte> x_, y_;  // room for the largest
  std::vector<One> all_;
};

CpuConvolutionCeiling::CpuConvolutionCeiling(std::span<const ConvolutionCall> calls,
                                             dnnl::memory::data_type type)
    : stream_(cpu_engine()) {
  std::vector<dnnl::convolution_forward::primitive_desc> descriptions;
  std::size_t x_bytes = 0, y_bytes = 0;
  for (const ConvolutionCall& call : calls) {
    const std::int64_t factor = call.form.doubled ? 2 : 1;
    const Shape x{call.x[0], factor * call.x[1], factor * call.x[2], call.x[3]};
    descriptions.push_back(
        describe_convolution(ConvolutionGeometry(call.form), x, type, Tag::any, true, {}));
    x_bytes = std::max(x_bytes, descriptions.back().src_desc().get_size());
    y_bytes = std::max(y_bytes, descriptions.back().dst_desc().get_size());
  }
  x_.resize(x_bytes);
  y_.resize(y_bytes);
  for (const auto& description : descriptions) {
    One one{dnnl::convolution_forward(description),
            {description.src_desc(), cpu_engine(), x_.data()},
            {description.weights_desc(), cpu_engine()},
            {description.bias_desc(), cpu_engine()},
            {description.dst_desc(), cpu_engine(), y_.data()}};
    std::memset(one.weights.get_data_handle(), 0, description.weights_desc().get_size());
    std::memset(one.bias.get_data_handle(), 0, description.bias_desc().get_size());
    all_.push_back(std::move(one));
  }
}

double CpuConvolutionCeiling::run() {
  const auto begin = Clock::now();
  for (One& one : all_) {
    one.primitive.execute(stream_, {{DNNL_ARG_SRC, one.x},
                                    {DNNL_ARG_WEIGHTS, one.weights},
                                    {DNNL_ARG_BIAS, one.bias},
                                    {DNNL_ARG_DST, one.y}});
  }
  stream_.wait();
  return seconds_since(begin);
}

}  // namespace

std::unique_ptr<ConvolutionCeiling> CpuBackend::convolution_ceiling(
    std::span<const ConvolutionCall> calls, DType dtype) {
  const bool bf16 = dtype == DType::kBFloat16 && onednn_has_native_bf16();
  return std::make_unique<CpuConvolutionCeiling>(
      calls, bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32);
}

}  // namespace edt
