// A backend: the same op set on one kind of hardware.
#pragma once

#include "core/ops/activation.h"
#include "core/ops/affine_modulation.h"
#include "core/ops/affine_norm.h"
#include "core/ops/attention.h"
#include "core/ops/attention_map.h"
#include "core/ops/bias.h"
#include "core/ops/cross_attention.h"
#include "core/ops/diffusion_loss.h"
#include "core/ops/embedding.h"
#include "core/ops/fold.h"
#include "core/ops/gate.h"
#include "core/ops/gate_norm.h"
#include "core/ops/heads.h"
#include "core/ops/kernel_attention.h"
#include "core/ops/layout.h"
#include "core/ops/linear.h"
#include "core/ops/matmul_ceiling.h"
#include "core/ops/mlp.h"
#include "core/ops/modulated_norm.h"
#include "core/ops/picture/picture.h"
#include "core/ops/regions.h"
#include "core/ops/rms_norm.h"
#include "core/ops/state_space.h"
#include "core/ops/ternary.h"
#include "core/ops/text.h"
#include "core/ops/token_convolution.h"
#include "core/ops/token_group_norm.h"
#include "core/ops/token_loss.h"
#include "core/ops/tokens.h"
#include "core/ops/unit_gate.h"
#include "core/ops/unit_mask.h"
#include "core/optim/optimizer.h"

namespace edt {

class Backend : public Device,
                public LinearKernels,
                public BiasKernels,
                public MlpKernels,
                public ActivationKernels,
                public ModulatedNormKernels,
                public GateKernels,
                public GateNormKernels,
                public HeadKernels,
                public AttentionKernels,
                public AttentionMapKernels,
                public TokenKernels,
                public EmbeddingKernels,
                public LayoutKernels,
                public DiffusionKernels,
                public TokenLossKernels,
                public TernaryKernels,
                public RmsNormKernels,
                public AffineModulationKernels,
                public TextKernels,
                public CrossAttentionKernels,
                public AffineNormKernels,
                public RegionKernels,
                public FoldKernels,
                public TokenConvolutionKernels,
                public TokenGroupNormKernels,
                public KernelAttentionKernels,
                public StateSpaceKernels,
                public UnitMaskKernels,
                public UnitGateKernels,
                public PictureKernels {
 public:
  std::string_view backend_name() const final { return name(); }

  // By the kernels of the two ops (kernels_compound.cpp): of a backend that gains nothing by doing
  // both at once, or that is to show each.
  void gate_norm_forward(const Tensor& x, const Gated& branch, const NormTerms& norm,
                         const Tensor& sum, const Tensor& y, const Tensor& stats) override;
  void gate_norm_backward(const Tensor& dy, const Tensor& sum, const Tensor& stats,
                          const Gated& branch, const NormTerms& norm, const GradTarget& dsum,
                          const GatedGrads& dbranch, const NormTermGrads& dnorm) override;

  // The backend's library on these products; nullptr: there is none to measure against.
  virtual std::unique_ptr<MatmulCeiling> matmul_ceiling(const std::vector<MatmulForm>&, DType) {
    return nullptr;
  }
  // The optimizer for shards in this backend's memory; must not outlive the backend.
  virtual std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config) {
    return edt::make_optimizer(config);
  }
};

// The backend behind a tape. Tapes of ops are always made with one.
inline Backend& backend_of(Tape& tape) { return dynamic_cast<Backend&>(tape.device()); }

}  // namespace edt
