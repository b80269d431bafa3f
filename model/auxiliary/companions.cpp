#include "model/auxiliary/companions.h"

#include <algorithm>

#include "core/base/error.h"
#include "model/auxiliary/distillation.h"
#include "model/auxiliary/feature_alignment.h"
#include "model/auxiliary/flop_target.h"
#include "model/auxiliary/latent_alignment.h"
#include "model/auxiliary/prototype_alignment.h"
#include "model/auxiliary/sparsity.h"
#include "model/auxiliary/teacher_alignment.h"

namespace edt {
namespace {

// A masked pass can be read where it has the same tokens as the full one, and tokens of its own.
void check_pass(CompanionPass pass, std::int64_t after, std::string_view section,
                const ModelConfig& model, const ObjectiveConfig& objective) {
  if (pass == CompanionPass::kFull) return;
  require<UsageError>(objective.masked, "align",
                      "{}.pass is both, and train.masked is off: there is the full pass alone",
                      section);
  require<UsageError>(!model.passes().drops, "align",
                      "{}.pass is both, and the masked pass of {} drops tokens: full reads the "
                      "other one",
                      section, model.name());
  require<UsageError>(!objective.shared_noise || after > model.passes().shared_blocks, "align",
                      "{}.pass is both, and with train.shared-noise both passes have one block {}: "
                      "block {} is the first with tokens of the masked pass",
                      section, after, model.passes().shared_blocks + 1);
}

}  // namespace

std::vector<ArrayRequest> AuxiliaryConfig::arrays(const ModelConfig& model) const {
  return features ? features->requests(model) : std::vector<ArrayRequest>{};
}

std::vector<int> AuxiliaryConfig::tensor_degrees(const ModelConfig& model) const {
  std::vector<int> degrees = model.tensor_degrees();
  if (sparsity) return {1};  // every rank looks at the weights of all masks
  if (!distillation) return degrees;
  const std::vector<int> others = distillation->teacher->tensor_degrees();
  std::erase_if(degrees,
                [&](int degree) { return std::ranges::find(others, degree) == others.end(); });
  return degrees;
}

void check_companions(const AuxiliaryConfig& config, const ModelConfig& model,
                      const ObjectiveConfig& objective) {
  require<UsageError>(
      objective.dual_time == 0 || !config.teacher || !model.common().text.is_on(), "align",
      "align.with names teacher, train.dual-time is {}, and {} reads texts: of these the teacher "
      "would see what was dropped",
      objective.dual_time, model.name());
  require<UsageError>(
      objective.dual_time == 0 || (!config.latent && !config.features), "align",
      "align.with names {}, and train.dual-time is {}: tokens in groups are no whole "
      "picture, as that one reads",
      config.latent ? "latent" : "features", objective.dual_time);
  if (config.teacher) check_teacher(*config.teacher, model);
  if (config.prototypes) check_prototypes(*config.prototypes, model, objective);
  if (config.latent) {
    const LatentAlignmentConfig latent = config.latent->resolved(model);
    (void)model.site_after(latent.after, "align.latent.after");
    check_pass(latent.pass, latent.after, "align.latent", model, objective);
  }
  if (config.features) {
    const FeatureAlignmentConfig features = config.features->resolved(model);
    features.validate();
    (void)model.site_after(features.after, "align.features.after");
    check_pass(features.pass, features.after, "align.features", model, objective);
  }
  if (config.distillation) check_distillation(*config.distillation, model, objective);
  if (config.sparsity) check_sparsity(*config.sparsity, config, model);
  if (config.flop_target) check_flop_target(model, config, objective);
}

std::vector<std::unique_ptr<AuxiliaryLoss>> make_companions(const AuxiliaryConfig& config,
                                                            const ModelConfig& model_config,
                                                            const ObjectiveConfig& objective,
                                                            const ModelPlace& place, Model& model) {
  check_companions(config, model_config, objective);
  std::vector<std::unique_ptr<AuxiliaryLoss>> all;
  std::shared_ptr<Teacher> teacher;  // one for all who compare with the moving average
  if (config.needs_teacher()) {
    teacher =
        std::make_shared<Teacher>(make_model(model_config, place.device, place.dtype, place.ranks));
  }
  // First: the average of its head lies behind that of the network.
  if (config.prototypes) {
    all.push_back(std::make_unique<PrototypeAlignment>(*config.prototypes, model_config, objective,
                                                       place, model, teacher));
  }
  if (config.latent) {
    all.push_back(std::make_unique<LatentAlignment>(*config.latent, model_config, model));
  }
  if (config.features) {
    all.push_back(std::make_unique<FeatureAlignment>(*config.features, model_config, model));
  }
  if (config.teacher) {
    all.push_back(std::make_unique<TeacherAlignment>(*config.teacher, model_config, objective,
                                                     model, teacher));
  }
  if (config.distillation) {
    all.push_back(std::make_unique<Distillation>(*config.distillation, model_config, place));
  }
  if (config.sparsity) {
    all.push_back(std::make_unique<Sparsity>(*config.sparsity, model_config, model));
  }
  if (config.flop_target) {
    all.push_back(std::make_unique<FlopTarget>(*config.flop_target, model_config, place.device));
  }
  return all;
}

}  // namespace edt
