#include "model/auxiliary/companions.h"

#include "core/base/error.h"
#include "model/auxiliary/feature_alignment.h"
#include "model/auxiliary/latent_alignment.h"
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

void check_companions(const AuxiliaryConfig& config, const ModelConfig& model,
                      const ObjectiveConfig& objective) {
  require<UsageError>(
      objective.dual_time == 0 || (!config.latent && !config.features), "align",
      "align.with names {}, and train.dual-time is {}: tokens in groups are no whole "
      "picture, as that one reads",
      config.latent ? "latent" : "features", objective.dual_time);
  if (config.teacher) check_teacher(*config.teacher, model);
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
}

std::vector<std::unique_ptr<AuxiliaryLoss>> make_companions(const AuxiliaryConfig& config,
                                                            const ModelConfig& model_config,
                                                            const ObjectiveConfig& objective,
                                                            Model& model,
                                                            std::unique_ptr<Model> teacher) {
  check_companions(config, model_config, objective);
  std::vector<std::unique_ptr<AuxiliaryLoss>> all;
  if (config.latent) {
    all.push_back(std::make_unique<LatentAlignment>(*config.latent, model_config, model));
  }
  if (config.features) {
    all.push_back(std::make_unique<FeatureAlignment>(*config.features, model_config, model));
  }
  if (config.teacher) {
    EDT_ASSERT(teacher);
    all.push_back(
        std::make_unique<TeacherAlignment>(*config.teacher, model_config, objective, model,
                                           std::make_shared<Teacher>(std::move(teacher))));
  }
  return all;
}

}  // namespace edt
