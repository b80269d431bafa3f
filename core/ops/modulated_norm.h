// LayerNorm without affine parameters (eps 1e-6) followed by adaLN modulation,
// y = norm(x) * (1 + scale[b]) + shift[b] (Peebles and Xie, arXiv 2212.09748); two variants that
// first gather their input: the 2x2 merge of EDT's down-sampling and the concatenation with a skip;
// and one with RMS norm in place of the layer norm.
#pragma once

#include "core/ops/kernel.h"
#include "core/ops/token_grid.h"

namespace edt {

inline constexpr double kNormEpsilon = 1e-6;

// Forward kernels save mean and 1/std per normalised row in stats [rows, 2] (accurate_dtype).
// Backward kernels add to dshift and dscale (zero-filled by the tape) and write the targets dx.
struct ModulatedNormKernels : virtual KernelFamily {
  // x, y [B, T, D]; shift, scale: D columns. Without a tensor in `shift` nothing is added.
  virtual void modulated_norm_forward(const Tensor& x, const Columns& shift, const Columns& scale,
                                      const Tensor& y, const Tensor& stats);
  virtual void modulated_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& stats,
                                       const Columns& scale, const GradTarget& dx,
                                       const Columns& dshift, const Columns& dscale);

  // x [B, g*g, C], mask [B, g*g] float32 (1 keeps, 0 masks; or undefined), y [B, g*g/4, 4C];
  // quarters in the order (row, column) = (0,0), (1,0), (0,1), (1,1). The mask multiplies each
  // quarter of y after modulation.
  virtual void merge_norm_forward(const Tensor& x, const TokenGrid& grid, const Columns& shift,
                                  const Columns& scale, const Tensor& mask, const Tensor& y,
                                  const Tensor& stats);
  virtual void merge_norm_backward(const Tensor& dy, const Tensor& x, const TokenGrid& grid,
                                   const Tensor& stats, const Columns& scale, const Tensor& mask,
                                   const GradTarget& dx, const Columns& dshift,
                                   const Columns& dscale);

  // a, b [B, T, C], y [B, T, 2C] from the concatenation [a, b]
  virtual void concat_norm_forward(const Tensor& a, const Tensor& b, const Columns& shift,
                                   const Columns& scale, const Tensor& y, const Tensor& stats);
  virtual void concat_norm_backward(const Tensor& dy, const Tensor& a, const Tensor& b,
                                    const Tensor& stats, const Columns& scale, const GradTarget& da,
                                    const GradTarget& db, const Columns& dshift,
                                    const Columns& dscale);

  // RMS norm (Zhang and Sennrich, arXiv 1910.07467; eps 1e-6) with a learnt weight [D]:
  // y = weight x / rms(x) * (1 + scale) + shift, where `shift` may be without a tensor. stats
  // [rows, 2] receives 0 and 1/rms.
  virtual void modulated_rms_norm_forward(const Tensor& x, const Tensor& weight,
                                          const Columns& shift, const Columns& scale,
                                          const Tensor& y, const Tensor& stats);
  virtual void modulated_rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                           const Tensor& stats, const Columns& scale,
                                           const GradTarget& dx, const GradTarget& dweight,
                                           const Columns& dshift, const Columns& dscale);
};

// `modulation` [B, K] holds shift and scale in chunks of the normalised width, by their indices; a
// shift of kNoShift: none is added.
struct ModulationChunks {
  static constexpr int kNoShift = -1;

  int shift = 0;
  int scale = 1;
};

Var modulated_norm(Tape& tape, const Var& x, const Var& modulation, ModulationChunks chunks = {});
// `weight` has D elements.
Var modulated_rms_norm(Tape& tape, const Var& x, Parameter& weight, const Var& modulation,
                       ModulationChunks chunks = {});
Var merge_norm(Tape& tape, const Var& x, const TokenGrid& grid, const Var& modulation,
               const Tensor& mask = {});
Var concat_norm(Tape& tape, const Var& a, const Var& b, const Var& modulation);

}  // namespace edt
