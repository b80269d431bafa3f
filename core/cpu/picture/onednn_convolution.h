// One convolution by oneDNN: pictures as they lie (NHWC), weights in the library's own layouts,
// each made once. Primitives are kept by the sizes of the pictures.
#pragma once

#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <tuple>
#include <vector>

#include "core/cpu/elementwise.h"
#include "core/ops/picture/convolution.h"

namespace edt {

// As oneDNN counts: rows and columns apart.
struct ConvolutionGeometry {
  std::int64_t inputs = 0, outputs = 0, groups = 1, stride = 1;
  std::int64_t rows = 1, columns = 1;  // of the kernel
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  explicit ConvolutionGeometry(const ConvolutionForm& form);
  // Of a picture [N, H, W, inputs].
  Shape result_of(const Shape& x) const {
    return {x[0], (x[1] + top + bottom - rows) / stride + 1,
            (x[2] + left + right - columns) / stride + 1, outputs};
  }
};

dnnl::engine& cpu_engine();

// The primitive for one size of pictures; the library chooses the layouts that are `any` in it.
dnnl::convolution_forward::primitive_desc describe_convolution(
    const ConvolutionGeometry& geometry, const Shape& x, dnnl::memory::data_type type,
    dnnl::memory::format_tag pictures, bool bias, const ConvolutionEnd& end);

class OneDnnConvolution {
 public:
  // weight [outputs, inputs / groups, rows, columns]; `type`: float32 or bf16, of operands and
  // result.
  OneDnnConvolution(const ConvolutionGeometry& geometry, std::span<const float> weight,
                    std::span<const float> bias, DType type);

  const ConvolutionGeometry& geometry() const { return geometry_; }
  // x [N, H, W, inputs], y = geometry().result_of(x), both of the type.
  void run(const Shape& shape, Span x, Span y, const ConvolutionEnd& end);

 private:
  struct Prepared {
    dnnl::convolution_forward primitive;
    dnnl::memory x, y;
    std::unordered_map<int, dnnl::memory> arguments;
  };
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, bool, PictureActivation>;

  Prepared prepare(const Shape& shape, const ConvolutionEnd& end);
  // In this layout, made from one that is there.
  const dnnl::memory& weights_as(const dnnl::memory::desc& layout);

  ConvolutionGeometry geometry_;
  dnnl::memory::data_type type_;
  std::vector<dnnl::memory> weights_;  // the same values in different layouts
  bool laid_out_ = false;              // these are the library's, no longer the plain float32 ones
  dnnl::memory bias_;                  // empty: none
  dnnl::stream stream_;
  std::map<Key, Prepared> prepared_;
};

}  // namespace edt
