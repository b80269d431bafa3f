#include "core/cpu/matmul_ceiling.h"

#include <algorithm>

#include "core/base/clock.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/onednn_descriptions.h"

namespace edt {
namespace {

using Dims = dnnl::memory::dims;

dnnl::engine& engine() {
  static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

// Row-major [batch, rows, columns], or its transpose stored row-major.
dnnl::memory::desc descriptor(std::int64_t batch, std::int64_t rows, std::int64_t columns,
                              bool transposed, dnnl::memory::data_type type) {
  const Dims strides =
      transposed ? Dims{rows * columns, 1, rows} : Dims{rows * columns, columns, 1};
  return {{batch, rows, columns}, type, strides};
}

std::size_t floats_for(std::int64_t elements, DType dtype) {
  return (static_cast<std::size_t>(elements) * size_of(dtype) + sizeof(float) - 1) / sizeof(float);
}

class CpuMatmulCeiling final : public MatmulCeiling {
 public:
  CpuMatmulCeiling(const std::vector<MatmulForm>& forms, DType dtype);

  double run() override;
  DType dtype() const override { return dtype_; }

 private:
  struct Product {
    dnnl::matmul primitive;
    dnnl::memory a, b, c;
  };
  std::vector<Product> products_;
  DType dtype_;
  std::vector<float> a_, b_, c_;
};

CpuMatmulCeiling::CpuMatmulCeiling(const std::vector<MatmulForm>& forms, DType dtype)
    : MatmulCeiling(forms),
      dtype_(dtype == DType::kBFloat16 && onednn_has_native_bf16() ? DType::kBFloat16
                                                                   : DType::kFloat32) {
  std::size_t a = 0, b = 0, c = 0;
  for (const MatmulForm& form : forms) {
    a = std::max(a, floats_for(form.batch * form.m * form.k, dtype_));
    b = std::max(b, floats_for(form.batch * form.k * form.n, dtype_));
    c = std::max(c, floats_for(form.batch * form.m * form.n, dtype_));
  }
  a_.assign(a, 0.5f);
  b_.assign(b, 0.25f);
  c_.assign(c, 0.f);
  const auto type =
      dtype_ == DType::kBFloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
  for (const MatmulForm& f : forms) {
    const auto da = descriptor(f.batch, f.m, f.k, f.transposed_a, type);
    const auto db = descriptor(f.batch, f.k, f.n, f.transposed_b, type);
    const auto dc = descriptor(f.batch, f.m, f.n, false, type);
    products_.push_back(
        {dnnl::matmul(describe_matmul(engine(), da, db, dc)), dnnl::memory(da, engine(), a_.data()),
         dnnl::memory(db, engine(), b_.data()), dnnl::memory(dc, engine(), c_.data())});
  }
}

double CpuMatmulCeiling::run() {
  dnnl::stream stream(engine());
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < products_.size(); ++i) {
    Product& product = products_[i];
    for (std::int64_t repeat = 0; repeat < forms()[i].count; ++repeat) {
      product.primitive.execute(
          stream,
          {{DNNL_ARG_SRC, product.a}, {DNNL_ARG_WEIGHTS, product.b}, {DNNL_ARG_DST, product.c}});
    }
  }
  stream.wait();
  return seconds_since(begin);
}

}  // namespace

std::unique_ptr<MatmulCeiling> make_cpu_matmul_ceiling(const std::vector<MatmulForm>& forms,
                                                       DType dtype) {
  return std::make_unique<CpuMatmulCeiling>(forms, dtype);
}

}  // namespace edt
