#include "launcher/train/config.h"

#include <bit>

#include "launcher/trace/step_trace.h"
#include "model/presets/presets.h"

namespace edt {
namespace {

// The only element of a list option of a model with one stage.
std::int64_t single(const std::vector<std::int64_t>& values, const char* option,
                    const std::string& model) {
  require<UsageError>(values.size() == 1, "model", "{} has {} values, {} takes one", option,
                      values.size(), model);
  return values[0];
}

template <class T>
void refuse(const std::optional<T>& value, const char* option, const char* owner,
            const std::string& model) {
  require<UsageError>(!value, "model", "{} is for {}, the model is {}", option, owner, model);
}

MaskRange to_range(const std::vector<float>& values, const char* option) {
  require<UsageError>(values.size() == 2, "model", "{} has {} values, two are needed: low,high",
                      option, values.size());
  return {values[0], values[1]};
}

template <std::size_t N>
std::array<double, N> to_betas(const std::vector<double>& values) {
  require<UsageError>(values.size() == N, "options",
                      "optimizer.betas has {} values, this optimizer takes {}", values.size(), N);
  std::array<double, N> betas;
  std::ranges::copy(values, betas.begin());
  return betas;
}

void check_micro_batch(const TrainOptions& train) {
  require<UsageError>(train.batch % train.micro_batch == 0, "options",
                      "train.batch {} is not a multiple of train.micro-batch {}", train.batch,
                      train.micro_batch);
  const auto count = static_cast<std::uint64_t>(train.batch / train.micro_batch);
  require<UsageError>(std::has_single_bit(count), "options",
                      "train.batch {} / train.micro-batch {} gives {} micro-batches, a power of "
                      "two is needed",
                      train.batch, train.micro_batch, count);
}

}  // namespace

void ModelOptions::declare(OptionSet& options) {
  const std::string preset_default = "that of the preset";
  options.section("model", "Model: a preset and what to change of it");
  options.add("model.preset", &preset, "published size").alias("model").choices(preset_names());
  options.add("model.image-size", &image_size, "side of the pictures; latents are 1/8 of it")
      .unit("pixels")
      .range(16, 8192);
  options.add("model.classes", &classes, "number of classes")
      .range(1, 1 << 24)
      .default_is("that of the data");
  options.add("model.patch", &patch, "side of a patch")
      .unit("latent pixels")
      .range(1, 1024)
      .default_is(preset_default);
  options
      .add("model.depths", &depths,
           "blocks per stage; MDTv2: of encoder and decoder; DiT: one number")
      .range(1, 1024)
      .default_is(preset_default);
  options.add("model.widths", &widths, "width per stage; MDTv2, DiT: one number")
      .range(4, 65536)
      .default_is(preset_default);
  options.add("model.heads", &heads, "attention heads per stage; MDTv2, DiT: one number")
      .range(1, 4096)
      .default_is(preset_default);
  options.add("model.label-dropout", &label_dropout, "share of labels dropped for guidance")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.mid-mask", &mid_mask, "third mask, inside the first stage (EDT)")
      .default_is(preset_default);
  options.add("model.mid-mask-range", &mid_mask_range, "its ratio: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.first-down-mask", &first_down_mask, "ratio of the first mask: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.later-down-mask", &later_down_mask, "ratio of later masks: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options
      .add("model.mask-ratio", &mask_ratio,
           "share of tokens that MDTv2's masked pass drops: low,high")
      .range(0, 1)
      .default_is(preset_default);
  options
      .add("model.amm-blocks", &amm_blocks,
           "blocks that use the attention modulation matrix when sampling, from 0")
      .at_least(0)
      .default_is("those of the preset, in proportion to the depths");
}

ModelConfig ModelOptions::resolve(std::int64_t data_classes) const {
  ModelConfig config = model_preset(preset);
  CommonConfig& common = config.common();
  common.classes = classes.value_or(data_classes);
  common.patch = patch.value_or(common.patch);
  common.label_dropout = label_dropout.value_or(common.label_dropout);
  if (auto* edt = config.as<EdtConfig>()) apply(*edt);
  if (auto* mdtv2 = config.as<Mdtv2Config>()) apply(*mdtv2);
  if (auto* dit = config.as<DitConfig>()) apply(*dit);
  config.check_image_size(image_size);
  common.input_size = image_size / kPixelsPerLatent;
  config.validate();
  return config;
}

void ModelOptions::refuse_edt_options(const std::string& model) const {
  refuse(mid_mask, "model.mid-mask", "EDT", model);
  refuse(mid_mask_range, "model.mid-mask-range", "EDT", model);
  refuse(first_down_mask, "model.first-down-mask", "EDT", model);
  refuse(later_down_mask, "model.later-down-mask", "EDT", model);
  refuse(amm_blocks, "model.amm-blocks", "EDT", model);
}

void ModelOptions::apply(DitConfig& config) const {
  refuse_edt_options(config.name);
  refuse(mask_ratio, "model.mask-ratio", "MDTv2", config.name);
  if (depths) config.depth = single(*depths, "model.depths", config.name);
  if (widths) config.width = single(*widths, "model.widths", config.name);
  if (heads) config.heads = single(*heads, "model.heads", config.name);
}

void ModelOptions::apply(Mdtv2Config& config) const {
  refuse_edt_options(config.name);
  if (depths) {
    require<UsageError>(depths->size() == 2, "model",
                        "model.depths has {} values, {} takes two: encoder,decoder", depths->size(),
                        config.name);
    config.encoder_depth = depths->at(0);
    config.decoder_depth = depths->at(1);
  }
  if (widths) config.width = single(*widths, "model.widths", config.name);
  if (heads) config.heads = single(*heads, "model.heads", config.name);
  if (mask_ratio) config.mask_ratio = to_range(*mask_ratio, "model.mask-ratio");
}

void ModelOptions::apply(EdtConfig& config) const {
  refuse(mask_ratio, "model.mask-ratio", "MDTv2", config.name);
  if (depths) change_depths(config, *depths);
  config.widths = widths.value_or(config.widths);
  config.heads = heads.value_or(config.heads);
  config.amm_blocks = amm_blocks.value_or(config.amm_blocks);
  config.mid_mask = mid_mask.value_or(config.mid_mask);
  if (first_down_mask) config.first_down_mask = to_range(*first_down_mask, "model.first-down-mask");
  if (later_down_mask) config.later_down_mask = to_range(*later_down_mask, "model.later-down-mask");
  if (mid_mask_range) config.mid_mask_range = to_range(*mid_mask_range, "model.mid-mask-range");
  if (image_size > 256) config.amm_form = AmmForm::kCosine;
}

void DataOptions::declare(OptionSet& options) {
  options.section("data", "Data");
  options.add("data.path", &path, "data set: a directory of HDF5 shards")
      .alias("data")
      .required()
      .absolute()
      .free_to_change();  // what is in it is compared
  options.add("data.order", &order,
              {{"global", SampleOrder::kGlobal}, {"shard-local", SampleOrder::kShardLocal}},
              "shuffle the whole set, or shards and then within a window");
  options.add("data.window", &window, "window of the shard-local order")
      .unit("samples")
      .at_least(1)
      .used_when("data.order", {"shard-local"});
  options.add("data.flip", &flip, "draw the flipped copy half of the time, where there is one");
  options.add("data.normalize", &normalize, "subtract the channel mean, divide by the deviation");
  options.add("data.verify", &verify, "check block checksums at first touch").free_to_change();
  options.add("data.prefetch", &prefetch, "micro-batches read ahead")
      .range(1, 1024)
      .free_to_change();
  options.add("data.cache", &cache, "decoded samples kept per rank, where shards are compressed")
      .unit("MiB")
      .range(0, 1 << 30)
      .free_to_change();
}

void TrainOptions::declare(OptionSet& options) {
  options.section("train", "Training");
  options.add("train.steps", &steps, "optimizer steps").alias("steps").at_least(1).free_to_change();
  options.add("train.batch", &batch, "global batch").unit("images").range(1, 1 << 24);
  options
      .add("train.micro-batch", &micro_batch, "unit of work; batch / micro-batch = 2^g; 0: chosen")
      .unit("images")
      .range(0, 65536)
      .free_to_change()
      .default_is("the largest to 32 that leaves each rank one and fits in memory");
  options.add("train.masked", &masked,
              "add the pass with masked tokens (EDT, MDTv2; DiT has none)");
  options
      .add("train.shared-noise", &shared_noise,
           "one draw of noise and label dropout for both passes: less work, not as published; EDT")
      .used_when("train.masked", {"on"});
  options.add("train.snr-gamma", &snr_gamma, "Min-SNR weighting of the loss; 0: none").at_least(0);
  options.add("train.timesteps", &timesteps,
              {{"uniform", TimestepSampling::kUniform},
               {"loss-second-moment", TimestepSampling::kLossSecondMoment}},
              "how timesteps are drawn");
  options
      .add("train.recompute", &recompute,
           {{"none", Recompute::kNone},
            {"selective", Recompute::kSelective},
            {"full", Recompute::kFull}},
           "activations run twice to save memory: none, MLPs, or whole blocks")
      .free_to_change();
  options.add("train.clip", &clip, "largest global gradient norm; 0: no clipping").at_least(0);
  options.add("train.on-non-finite", &on_non_finite,
              {{"stop", OnNonFinite::kStop},
               {"skip", OnNonFinite::kSkip},
               {"go-back", OnNonFinite::kGoBack}},
              "NaN or infinity in loss or gradient: stop the run, skip the update, or go back to "
              "the newest checkpoint and skip the batches since");
  options
      .add("train.spike-threshold", &spike_threshold,
           "a loss or gradient norm so many deviations above those before it is a spike; 0: off")
      .at_least(0);
  options.add("train.spike-window", &spike_window, "steps that it is compared with").at_least(10);
  options.add("train.on-spike", &on_spike,
              {{"log", OnSpike::kLog}, {"skip", OnSpike::kSkip}, {"go-back", OnSpike::kGoBack}},
              "what is done: say so, skip the update, or go back to the newest checkpoint and skip "
              "the batches since");
  options.add("train.seed", &seed, "seed of every random number").alias("seed").at_least(0);
}

void OptimizerOptions::declare(OptionSet& options) {
  options.section("optimizer", "Optimizer");
  options.add("optimizer.kind", &kind,
              {{"adan", OptimizerKind::kAdan}, {"adamw", OptimizerKind::kAdamW}}, "update rule");
  options.add("optimizer.betas", &betas, "decay of the moments")
      .range(0, 1)
      .default_is("0.98,0.92,0.99 of adan, 0.9,0.999 of adamw");
  options.add("optimizer.eps", &eps, "added to the denominator").above(0);
  options.add("optimizer.weight-decay", &weight_decay, "decoupled weight decay").at_least(0);
  options.add("optimizer.no-prox", &no_prox, "decay before the update instead of the proximal step")
      .used_when("optimizer.kind", {"adan"});
  options.add("optimizer.ema-decay", &ema_decay, "decay of the moving average of the weights")
      .range(0, 1);
  options.add("optimizer.lr", &rate.initial, "learning rate after the warm-up").above(0);
  options.add("optimizer.schedule", &rate.kind,
              {{"constant", ScheduleKind::kConstant},
               {"linear", ScheduleKind::kLinear},
               {"cosine", ScheduleKind::kCosine}},
              "course of the learning rate");
  options.add("optimizer.lr-final", &rate.final, "learning rate from decay-steps on")
      .above(0)
      .used_when("optimizer.schedule", {"linear", "cosine"});
  options.add("optimizer.decay-steps", &rate.decay_steps, "steps until lr-final")
      .at_least(1)
      .used_when("optimizer.schedule", {"linear", "cosine"});
  options.add("optimizer.warmup-steps", &rate.warmup_steps, "steps of linear warm-up").at_least(0);
}

OptimizerConfig OptimizerOptions::resolve() const {
  if (kind == OptimizerKind::kAdan) {
    AdanConfig config{.eps = eps, .weight_decay = weight_decay, .no_prox = no_prox};
    if (betas) config.betas = to_betas<3>(*betas);
    return config;
  }
  AdamWConfig config{.eps = eps, .weight_decay = weight_decay};
  if (betas) config.betas = to_betas<2>(*betas);
  return config;
}

void ParallelOptions::declare(OptionSet& options) {
  options.section("parallel", "Ranks");
  options
      .add("parallel.tensor", &tensor,
           "ranks that hold one model together; it must divide the heads of every stage")
      .range(1, 1024)
      .free_to_change();
  options
      .add("parallel.zero", &zero,
           {{"0", ZeroStage::kNone},
            {"1", ZeroStage::kOptimizer},
            {"2", ZeroStage::kGradients},
            {"3", ZeroStage::kWeights}},
           "what data ranks share: 0 nothing, 1 optimizer state, 2 and gradients, 3 and weights")
      .free_to_change();
  options.add("parallel.overlap", &overlap, "communicate while computing").free_to_change();
  options.add("parallel.bucket", &bucket_mib, "gradients that travel together")
      .unit("MiB")
      .range(1, 4096)
      .free_to_change()
      .used_when("parallel.zero", {"0", "1"});
  options
      .add("parallel.gather-ahead", &gather_ahead,
           "blocks whose weights are on their way before they are used")
      .range(0, 64)
      .free_to_change()
      .used_when("parallel.zero", {"3"});
  options.add("parallel.gradient-wire", &gradient_wire,
              {{"float32", Wire::kExact}, {"bf16", Wire::kBFloat16}},
              "type of gradients on the wire; bf16 is outside the promise of equal bits");
}

ZeroConfig ParallelOptions::resolve() const {
  constexpr std::int64_t kFloatsPerMib = (std::int64_t{1} << 20) / sizeof(float);
  return {.stage = zero,
          .overlap = overlap,
          .gradient_wire = gradient_wire,
          .bucket_elements = bucket_mib * kFloatsPerMib,
          .gather_ahead = gather_ahead};
}

void RunOptions::declare(OptionSet& options) {
  options.section("run", "Run");
  options.add("run.dir", &directory, "run directory: checkpoints, metrics, logs, samples")
      .required()
      .absolute()
      .free_to_change();
  device.declare(options, "run.");
  options
      .add("run.cuda-graphs", &cuda_graphs,
           "launch forward and backward of a micro-batch as CUDA graphs; not for MDTv2's draws of "
           "tokens, ZeRO 3 and tensor ranks")
      .used_when("run.device", {"cuda"})
      .free_to_change();
  options.add("run.dtype", &dtype, {{"float32", DType::kFloat32}, {"bf16", DType::kBFloat16}},
              "type of matrix inputs and activations");
  options.add("run.resume", &resume, "go on from the newest intact checkpoint, if there is one")
      .free_to_change();
  options.add("run.log-every", &log_every, "steps between lines on the terminal")
      .at_least(1)
      .free_to_change();
  options.add("run.checkpoint-every", &checkpoint_every, "steps between checkpoints; 0: at the end")
      .at_least(0)
      .free_to_change();
  options.add("run.keep-checkpoints", &keep_checkpoints, "newest checkpoints kept")
      .at_least(2)
      .free_to_change();
  options
      .add("run.keep-every", &keep_every,
           "checkpoints of steps that are multiples of this are kept for ever; 0: none")
      .at_least(0)
      .free_to_change();
  options
      .add(
          "run.keep-best", &keep_best,
          "checkpoints of the lowest training loss (of the full pass, running mean over 100 steps) "
          "kept beside the newest")
      .range(0, 1000)
      .free_to_change();
  options
      .add("run.wait-for-checkpoint", &wait_for_checkpoint,
           "training waits until a checkpoint is on disk")
      .free_to_change();
  options
      .add("run.timeout", &timeout,
           "a rank that keeps the others waiting for so long is named, and the job ends; 0: never")
      .unit("s")
      .at_least(0)
      .free_to_change();
  options
      .add("run.start-timeout", &start_timeout,
           "the same until every rank has been through its first forward pass (compilers, page "
           "cache, first files); 0: never")
      .unit("s")
      .at_least(0)
      .free_to_change();
  options
      .add("run.prometheus", &prometheus,
           "text file with the metrics of the last step, for node_exporter's textfile collector")
      .absolute()
      .belongs_to("run.dir")
      .free_to_change();
  options
      .add("run.straggler-every", &straggler_every,
           "steps between reports of ranks that are slower than the others; 0: none")
      .at_least(0)
      .free_to_change();
  options
      .add("run.on-stall", &requeue_stalled, {{"requeue", true}, {"fail", false}},
           "how a job ends when a rank stalls: status 5, start it again, or 1, failed")
      .free_to_change();
  options
      .add("run.memory-check", &memory_check,
           "refuse a run that does not fit in the free memory before it begins")
      .free_to_change();
  options
      .add("run.profile", &profile, {{"none", Profile::kNone}, {"trace", Profile::kTrace}},
           "trace: what all ranks did in some steps, one file trace.json for Perfetto")
      .free_to_change();
  options
      .add("run.profile-steps", &profile_steps,
           "which steps, FIRST..LAST, counted from where this start of the run begins")
      .used_when("run.profile", {"trace"})
      .free_to_change();
  options
      .add("run.accept-changes", &accept_changes,
           "go on though options that change the curve differ from those of the checkpoint")
      .alias("accept-changes")
      .command_line_only();
  options
      .add(
          "run.on-damage", &on_damage,
          {{"stop", OnDamage::kStop}, {"start-anew", OnDamage::kStartAnew}},
          "when no checkpoint that was saved is intact: refuse to start and leave all as it is, or "
          "set aside what is there and begin at step 0")
      .command_line_only();
  options.add("run.tensorboard", &tensorboard, "write TensorBoard event files").free_to_change();
  options.add("run.sample-every", &sample_every, "steps between sample grids; 0: none")
      .at_least(0)
      .free_to_change();
  options.add("run.sample-images", &sample_images, "pictures in a sample grid")
      .range(1, 1024)
      .free_to_change();
  options.add("run.sample-steps", &sample_steps, "sampler steps (DDIM) of a sample grid")
      .range(1, 1000)
      .free_to_change();
  options.add("run.sample-guidance", &sample_guidance, "guidance of a sample grid")
      .at_least(0)
      .free_to_change();
}

void TrainConfig::declare(OptionSet& options) {
  model.declare(options);
  data.declare(options);
  train.declare(options);
  optimizer.declare(options);
  parallel.declare(options);
  run.declare(options);
}

void TrainConfig::validate() const {
  if (train.micro_batch != 0) check_micro_batch(train);
  edt::validate(optimizer.rate);
  const std::int64_t every = run.checkpoint_every;
  require<UsageError>(run.keep_every == 0 || (every > 0 && run.keep_every % every == 0), "options",
                      "run.keep-every {} is not a multiple of run.checkpoint-every {}: there would "
                      "be no checkpoint to keep",
                      run.keep_every, every);
  parse_traced_steps(run.profile_steps);
}

void TrainConfig::check_recipe(const ModelConfig& chosen) const {
  require<UsageError>(!train.masked || chosen.has_masked_pass(), "train",
                      "train.masked is on, but {} has no masked pass: turn it off", chosen.name());
  require<UsageError>(!train.shared_noise || chosen.as<EdtConfig>() != nullptr, "train",
                      "train.shared-noise is for EDT, the model is {}", chosen.name());
}

}  // namespace edt
