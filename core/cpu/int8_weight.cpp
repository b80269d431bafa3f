#include "core/cpu/int8_weight.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/cpu/cpu_library.h"
#include "core/cpu/elementwise.h"
#include "core/cpu/onednn_descriptions.h"
#include "core/cpu/parallel.h"

namespace edt {
namespace {

using Type = dnnl::memory::data_type;
using Dims = dnnl::memory::dims;

constexpr float kLargest = 127;

// f(n, row n in float32), the rows shared by the threads.
template <class F>
void for_each_row(const Tensor& weight, F&& f) {
  const std::int64_t columns = weight.shape[1];
  parallel_ranges(weight.shape[0], 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (std::int64_t n = begin; n < end; ++n) {
      convert(Span{weight.data, weight.dtype}.from(n * columns), {row.data()}, columns);
      f(n, row);
    }
  });
}

}  // namespace

int largest_quantum() { return onednn_has_vnni() ? 255 : 127; }

Int8Weight::Int8Weight(const Tensor& weight)
    : weight_(weight),
      scales_(static_cast<std::size_t>(weight.shape[0])),
      sums_(static_cast<std::size_t>(weight.shape[0])) {
  for_each_row(weight, [&](std::int64_t n, std::span<const float> row) {
    float largest = 0, not_finite = 0;  // comparisons lose NaN
    for (const float value : row) {
      largest = std::max(largest, std::abs(value));
      not_finite += value - value;
    }
    scales_[static_cast<std::size_t>(n)] = largest / kLargest + not_finite;
  });
  const std::vector<std::int8_t> all = integers();
  for (std::int64_t n = 0; n < outputs(); ++n) {
    const std::int8_t* row = all.data() + n * inputs();
    std::int32_t sum = 0;
    for (std::int64_t k = 0; k < inputs(); ++k) sum += row[k];
    sums_[static_cast<std::size_t>(n)] = static_cast<float>(sum);
  }
}

std::vector<std::int8_t> Int8Weight::integers() const {
  std::vector<std::int8_t> all(static_cast<std::size_t>(weight_.elements()));
  for_each_row(weight_, [&](std::int64_t n, std::span<const float> row) {
    const float scale = scales_[static_cast<std::size_t>(n)];
    // A smaller scale has no inverse; with one that is none the row's products are none, too.
    if (!(scale >= std::numeric_limits<float>::min())) return;
    const float inverse = 1 / scale;
    std::ranges::transform(row, all.begin() + n * inputs(), [&](float value) {
      return static_cast<std::int8_t>(std::nearbyint(value * inverse));
    });
  });
  return all;
}

const dnnl::memory& Int8Weight::laid_out_as(const dnnl::memory::desc& layout) {
  for (const dnnl::memory& known : layouts_) {
    if (known.get_desc() == layout) return known;
  }
  std::vector<std::int8_t> all = integers();
  dnnl::memory plain({Dims{inputs(), outputs()}, Type::s8, Dims{1, inputs()}}, engine_, all.data());
  dnnl::memory laid_out(layout, engine_);
  dnnl::reorder(plain, laid_out).execute(stream_, plain, laid_out);
  stream_.wait();
  return layouts_.emplace_back(std::move(laid_out));
}

Int8Weight::Product Int8Weight::make(std::int64_t count) {
  const dnnl::memory::desc rows({count, inputs()}, Type::u8, Dims{inputs(), 1});
  const dnnl::memory::desc weight({inputs(), outputs()}, Type::s8, dnnl::memory::format_tag::any);
  const dnnl::memory::desc products({count, outputs()}, Type::s32, Dims{outputs(), 1});
  const auto description = describe_matmul(engine_, rows, weight, products);
  Product made{dnnl::matmul(description),
               dnnl::memory(rows, engine_, DNNL_MEMORY_NONE),
               dnnl::memory(products, engine_, DNNL_MEMORY_NONE),
               {}};
  made.arguments = {{DNNL_ARG_SRC, made.rows},
                    {DNNL_ARG_WEIGHTS, laid_out_as(description.weights_desc())},
                    {DNNL_ARG_DST, made.products}};
  return made;
}

void Int8Weight::multiply(std::uint8_t* rows, std::int64_t count, std::int32_t* products) {
  auto found = products_.find(count);
  if (found == products_.end()) found = products_.emplace(count, make(count)).first;
  Product& product = found->second;
  product.rows.set_data_handle(rows);
  product.products.set_data_handle(products);
  product.primitive.execute(stream_, product.arguments);
  stream_.wait();
}

}  // namespace edt
