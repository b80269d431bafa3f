#include "launcher/recipe/train_options.h"

#include "model/families/model_options.h"

namespace edt {

void TrainOptions::declare(OptionSet& options) {
  options.section("train", "Training");
  options.add("train.steps", &steps, "optimizer steps").alias("steps").at_least(1).free_to_change();
  options.add("train.batch", &batch, "global batch").unit("images").range(1, 1 << 24);
  options
      .add("train.micro-batch", &micro_batch,
           "unit of work, which the data ranks share evenly; 0: chosen")
      .unit("images")
      .range(0, 65536)
      .free_to_change()
      .default_is("the largest to 32 that leaves each rank one and fits in memory");
  options.add("train.masked", &masked,
              "add the pass with masked tokens, in families that have one: " +
                  families_with(&PassKinds::zeroes).names + ", " +
                  families_with(&PassKinds::drops).names);
  {
    const CapableFamilies sharing = families_with(&PassKinds::shares_prefix);
    const OptionSet::Scope scope(options, sharing.names, "model.preset", sharing.presets);
    options
        .add("train.shared-noise", &shared_noise,
             "one draw of noise and label dropout for both passes: less work, not as published")
        .used_when("train.masked", {"on"});
  }
  {
    const CapableFamilies grouping = families_with(&PassKinds::groups);
    const OptionSet::Scope scope(options, grouping.names, "model.preset", grouping.presets);
    options
        .add("train.dual-time", &dual_time,
             "share of a picture's tokens that are in the first of two groups: each has a time of "
             "its own, and attention stays within it; 0: no groups")
        .at_least(0)
        .below(1)
        .used_when("train.masked", {"off"})
        .used_when("process.kind", {"flow"})
        .used_when("train.timesteps", {"uniform", "stratified", "logit-normal"});
  }
  options.add("train.snr-gamma", &loss.snr_gamma, "Min-SNR weighting of the loss; 0: none")
      .at_least(0)
      .single_precision()
      .used_when("process.kind", {"ddpm"});
  options
      .add("train.direction-weight", &loss.direction_weight,
           "of 1 - the cosine between predicted and true velocity, place by place; 0: none")
      .at_least(0)
      .single_precision()
      .used_when("process.prediction", {"velocity"});
  declare_times(options);
  options
      .add("train.recompute", &recompute,
           {{"least", Recompute::kLeast},
            {"none", Recompute::kNone},
            {"selective", Recompute::kSelective},
            {"full", Recompute::kFull}},
           "activations run twice to save memory: none, MLPs, or whole blocks; least keeps what "
           "lies "
           "between an MLP's products too, which a GPU otherwise computes again")
      .free_to_change();
  options.add("train.clip", &clip, "largest global gradient norm; 0: no clipping")
      .at_least(0)
      .single_precision();
  options.add("train.on-non-finite", &on_non_finite,
              {{"stop", OnNonFinite::kStop},
               {"skip", OnNonFinite::kSkip},
               {"roll-back", OnNonFinite::kRollBack},
               {"go-back", OnNonFinite::kRollBack}},
              "NaN or infinity in loss or gradient: stop the run, skip the update, or roll back to "
              "the newest checkpoint and skip the batches since");
  options
      .add("train.spike-threshold", &spike_threshold,
           "a loss or gradient norm so many deviations above those before it is a spike; 0: off")
      .at_least(0);
  options.add("train.spike-window", &spike_window, "steps that it is compared with").at_least(10);
  options.add("train.on-spike", &on_spike,
              {{"log", OnSpike::kLog},
               {"skip", OnSpike::kSkip},
               {"roll-back", OnSpike::kRollBack},
               {"go-back", OnSpike::kRollBack}},
              "what is done: say so, skip the update, or go back to the newest checkpoint and skip "
              "the batches since");
  options.add("train.seed", &seed, "seed of every random number").alias("seed").at_least(0);
}

void TrainOptions::declare_times(OptionSet& options) {
  options.add("train.timesteps", &times.sampling,
              {{"uniform", TimeSampling::kUniform},
               {"stratified", TimeSampling::kStratified},
               {"loss-second-moment", TimeSampling::kLossSecondMoment},
               {"logit-normal", TimeSampling::kLogitNormal}},
              "how the times of a batch are drawn: each for itself, one from each of as many equal "
              "parts, more often where the loss is large, or more often in the middle");
  options
      .add("train.logit-normal", &logit_normal,
           "mean,deviation of log(t / (1 - t)); a mean above 0 is nearer to noise")
      .used_when("train.timesteps", {"logit-normal"});
  options
      .add("train.shift", &times.shift,
           "t becomes shift t / (1 + (shift - 1) t): above 1 nearer to noise")
      .above(0)
      .used_when("train.timesteps", {"uniform", "stratified", "logit-normal"});
  options
      .add("train.timesteps-until", &times.until, "step from which on times are uniform; 0: never")
      .at_least(0)
      .used_when("train.timesteps", {"stratified", "loss-second-moment", "logit-normal"});
}

TimeLaw TrainOptions::time_law() const {
  require<UsageError>(logit_normal.size() == 2 && logit_normal[1] > 0, "options",
                      "train.logit-normal has {} values, two are needed: mean,deviation above 0",
                      logit_normal.size());
  TimeLaw law = times;
  law.mean = logit_normal[0];
  law.deviation = logit_normal[1];
  return law;
}

}  // namespace edt
