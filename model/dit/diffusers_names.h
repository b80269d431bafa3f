// DiT under the names of the diffusers library's DiTTransformer2DModel.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "model/dit/config.h"
#include "parallel/checkpoint/tensor_names.h"

namespace edt {

// There query, key and value are three tensors, and every block has a copy of the embeddings of
// timestep and class. `tensors`: those of the model.
TensorNames diffusers_names(const DitConfig& config, std::span<const LogicalTensor> tensors);

// The config.json that makes such a model. Its layer norms get the published epsilon, not the
// library's default.
nlohmann::ordered_json diffusers_config(const DitConfig& config);
// Throws DataError with both values where a config.json is of another model; heads, for one, do not
// show in shapes. Keys that it lacks are not compared. `where` names it in messages.
void check_diffusers_config(const DitConfig& config, const nlohmann::json& json,
                            const std::string& where);

}  // namespace edt
