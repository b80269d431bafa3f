#include "model/recipe/training.h"

namespace edt {

Training::Training(const TrainingRecipe& recipe, Backend& backend, Communicator& data_ranks,
                   TensorGroup tensor_ranks)
    : Training(make_model(recipe.model, backend, recipe.engine.dtype, tensor_ranks), recipe,
               backend, data_ranks) {}

Training::Training(std::unique_ptr<Model> model, const TrainingRecipe& recipe, Backend& backend,
                   Communicator& data_ranks)
    : model_(std::move(model)), engine_(*model_, backend, data_ranks, recipe.engine) {}

}  // namespace edt
