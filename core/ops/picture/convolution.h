// Convolutions of pictures [N, H, W, C], forward only, by weights that a backend has laid out once
// as its kernels want them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ops/kernel.h"
#include "core/ops/picture/activation.h"

namespace edt {

// kRow: 1 x kernel, kColumn: kernel x 1. Zeros surround a picture along the kernel alone.
enum class KernelShape : std::uint8_t { kSquare, kRow, kColumn };

struct ConvolutionForm {
  std::int64_t inputs = 0, outputs = 0;  // channels
  std::int64_t kernel = 1, stride = 1, groups = 1;
  // Rows and columns of zeros: above and to the left, below and to the right.
  std::int64_t before = 0, after = 0;
  KernelShape shape = KernelShape::kSquare;
  // The picture is first doubled, each pixel repeated (nearest neighbour).
  bool doubled = false;

  std::int64_t kernel_rows() const { return shape == KernelShape::kRow ? 1 : kernel; }
  std::int64_t kernel_columns() const { return shape == KernelShape::kColumn ? 1 : kernel; }
  std::int64_t top() const { return shape == KernelShape::kRow ? 0 : before; }
  std::int64_t bottom() const { return shape == KernelShape::kRow ? 0 : after; }
  std::int64_t left() const { return shape == KernelShape::kColumn ? 0 : before; }
  std::int64_t right() const { return shape == KernelShape::kColumn ? 0 : after; }

  std::int64_t weights() const {
    return outputs * (inputs / groups) * kernel_rows() * kernel_columns();
  }
  Shape result_of(const Shape& x) const {
    const std::int64_t factor = doubled ? 2 : 1;
    return {x[0], (factor * x[1] + top() + bottom() - kernel_rows()) / stride + 1,
            (factor * x[2] + left() + right() - kernel_columns()) / stride + 1, outputs};
  }
  // Multiplications and additions for x, as the definition has them.
  double flops(const Shape& x) const {
    const Shape y = result_of(x);
    return 2.0 * static_cast<double>(y[0] * y[1] * y[2]) * static_cast<double>(weights());
  }
  bool operator==(const ConvolutionForm&) const = default;
};

// "128 -> 256, 3x3, stride 2"
std::string to_string(const ConvolutionForm& form);

// Made by a backend, for it.
class PackedConvolution {
 public:
  PackedConvolution(const ConvolutionForm& form, DType dtype) : form_(form), dtype_(dtype) {}
  virtual ~PackedConvolution() = default;
  const ConvolutionForm& form() const { return form_; }
  DType dtype() const { return dtype_; }  // of x and y

 private:
  ConvolutionForm form_;
  DType dtype_;
};

// What happens to the products: y = f(products), or y = f(y + products).
struct ConvolutionEnd {
  bool add = false;
  PictureActivation activation = PictureActivation::kNone;
};

// One use of a convolution, for measuring the library on the same shapes.
struct ConvolutionCall {
  ConvolutionForm form;
  Shape x;
  bool operator==(const ConvolutionCall&) const = default;
};

// A backend's library alone on a list of convolutions, each in the layouts that it likes best.
class ConvolutionCeiling {
 public:
  virtual ~ConvolutionCeiling() = default;
  // Seconds of all of them, one after the other.
  virtual double run() = 0;
};

struct ConvolutionKernels : virtual KernelFamily {
  // weight [outputs, inputs / groups, kernel, kernel] and bias [outputs] (or empty) in host memory,
  // rounded to `dtype` (the bias is not).
  virtual std::unique_ptr<PackedConvolution> pack_convolution(const ConvolutionForm& form,
                                                              std::span<const float> weight,
                                                              std::span<const float> bias,
                                                              DType dtype);
  // x [N, H, W, inputs] -> y = form.result_of(x)
  virtual void convolution(const PackedConvolution& weights, const Tensor& x, const Tensor& y,
                           const ConvolutionEnd& end);
  // nullptr: there is no library to measure against.
  virtual std::unique_ptr<ConvolutionCeiling> convolution_ceiling(std::span<const ConvolutionCall>,
                                                                  DType) {
    return nullptr;
  }
};

Var convolution(Tape& tape, const Var& x, const PackedConvolution& weights,
                PictureActivation activation = PictureActivation::kNone);
// y = f(y + convolution of x)
void add_convolution(Tape& tape, const Var& x, const PackedConvolution& weights, const Var& y,
                     PictureActivation activation = PictureActivation::kNone);

}  // namespace edt
