// Losses of samples that are not trained on, over memory that is not there: what they would take.
#pragma once

#include "model/families/model_config.h"
#include "model/training/denoising_loss.h"

namespace edt {

// Bytes beside the weights: inputs and activations of a forward pass of `batch` samples.
std::size_t dry_run_of_validation(const ModelConfig& config, DType dtype,
                                  const DenoisingLossConfig& loss, std::int64_t batch);

}  // namespace edt
