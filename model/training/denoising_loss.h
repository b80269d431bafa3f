// What a step makes of the difference between what the network gave and what it should have given:
// named terms, each a mean over the rows with a weight.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "model/model.h"
#include "model/training/input_buffers.h"

namespace edt {

struct LossTerm {
  std::string name;   // "mse"
  double weight = 1;  // in the loss; what is reported is not weighted
  // Trains beside the denoising loss: reported by its name, and no part of what is called the loss,
  // so that runs with and without it compare.
  bool beside = false;
};

struct DenoisingLossConfig {
  double snr_gamma = 5;  // Min-SNR weighting (Hang et al., arXiv 2303.09556); 0: none
  double direction_weight =
      0;  // of 1 - the cosine between velocities (Yao et al., arXiv 2501.01423)
};

// Of all rows of a micro-batch, on the device.
struct NoisedImages {
  Tensor x_start, x_t, noise;  // [rows, C, H, W]
  Tensor weights;              // [rows], importance weights
};

class DenoisingLoss {
 public:
  virtual ~DenoisingLoss() = default;

  virtual const std::vector<LossTerm>& terms() const = 0;
  // Of rows first ... first + t.size() - 1, among the inputs. `share`: of the tokens of a sample
  // that these rows have.
  virtual void fill(InputBuffers& inputs, std::size_t first, std::span<const double> t,
                    double share = 1) const = 0;
  // The means of the terms, each [1]. `losses` [terms, rows] receives them row by row.
  virtual std::vector<Var> operator()(Tape& tape, const Var& tokens, InputBuffers& inputs,
                                      const NoisedImages& images, const Tensor& losses) const = 0;
  // The same of the rows from `first` on, which have these tokens of the grid alone.
  virtual std::vector<Var> of_group(Tape& tape, const Var& tokens, const VisibleTokens& group,
                                    std::int64_t first, InputBuffers& inputs,
                                    const NoisedImages& images, const Tensor& losses) const = 0;
};

// The terms that the losses of this process have.
std::vector<LossTerm> loss_terms(const ProcessConfig& process, const DenoisingLossConfig& config);

// Takes its inputs for `rows` rows. Throws UsageError for a weight that has no meaning.
std::unique_ptr<DenoisingLoss> make_denoising_loss(const Model& model,
                                                   const DenoisingLossConfig& config,
                                                   InputBuffers& inputs, std::int64_t rows);

}  // namespace edt
