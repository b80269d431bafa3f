// How what trains beside the denoising loss comes into a step.
#pragma once

#include <memory>
#include <vector>

#include "model/auxiliary/auxiliary_config.h"

namespace edt {

// In the order of their terms. Adds their parameters to `model`, behind its own; networks that they
// compare with are at its `place`. Throws what check_companions() does.
std::vector<std::unique_ptr<AuxiliaryLoss>> make_companions(const AuxiliaryConfig& config,
                                                            const ModelConfig& model_config,
                                                            const ObjectiveConfig& objective,
                                                            const ModelPlace& place, Model& model);

}  // namespace edt
