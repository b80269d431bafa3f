#include "launcher/recipe/run_options.h"

namespace edt {

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
  options
      .add("run.init-from", &init_from,
           "a run or a checkpoint whose moving average the weights of a new run begin with; what "
           "trains beside may differ")
      .absolute()
      .free_to_change()
      .default_is("drawn weights");
  options.add("run.log-every", &log_every, "steps between lines on the terminal")
      .at_least(1)
      .free_to_change();
  options.add("run.checkpoint-every", &checkpoint_every, "steps between checkpoints; 0: at the end")
      .at_least(0)
      .free_to_change();
  options
      .add("run.snapshot-every", &snapshot_every,
           "steps between snapshots of optimizer.power-averages, which are all kept; 0: at every "
           "checkpoint-every steps")
      .at_least(0)
      .free_to_change();
  options
      .add("run.snapshot-type", &half_snapshots, {{"float16", true}, {"float32", false}},
           "of the values of snapshots")
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
      .add(
          "run.keep-best-by", &keep_best_by,
          {{"loss", BestBy::kLoss},
           {"held-out-loss", BestBy::kHeldOut},
           {"evaluation", BestBy::kEvaluation}},
          "what ranks them instead, where a checkpoint's weights were judged: the loss of held-out "
          "samples, or FID (without Inception the latent distance)")
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
  declare_records(options);
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
  options
      .add("run.holdout-every", &holdout_every,
           "steps between losses of samples that data.holdout keeps out of training; 0: none")
      .at_least(0)
      .free_to_change();
  options
      .add("run.holdout-samples", &holdout_samples,
           "of them, and of those that are trained on as many, to compare with; at one of eight "
           "times each")
      .range(8, 1 << 24)
      .free_to_change();
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
      .single_precision()
      .free_to_change();
  sample_vae.declare_for_run(
      options, "run.sample-",
      "weights of the autoencoder that decodes sample grids: of the one whose latents the data "
      "are, or a TAESD");
  options
      .add("run.sample-share", &sample_share,
           "of the time since the start, that sample grids may take: one that would take more is "
           "left out; 1: none is")
      .above(0)
      .range(0, 1)
      .free_to_change();
  declare_evaluation(options);
}

void RunOptions::declare_records(OptionSet& options) {
  options
      .add("run.record-steps", &record_steps,
           "steps of the run, FIRST..LAST, whose ops and collectives are recorded for edt diff")
      .default_is("no steps")
      .free_to_change();
  options
      .add("run.record-values", &record_values,
           "values kept beside the hashes: all, which is much, or those of the call that edt diff "
           "names")
      .default_is("hashes alone")
      .free_to_change();
}

void RunOptions::declare_evaluation(OptionSet& options) {
  options
      .add("run.evaluate-every", &evaluate_every,
           "steps between evaluations of samples from the moving average; 0: none")
      .at_least(0)
      .free_to_change();
  options
      .add("run.evaluate-samples", &evaluate_samples,
           "that are made, of classes at random; the same noise each time")
      .range(2, 1 << 20)
      .free_to_change();
  options.add("run.evaluate-steps", &evaluate_steps, "sampler steps (DDIM) of them")
      .range(1, 1000)
      .free_to_change();
  options.add("run.evaluate-guidance", &evaluate_guidance, "guidance of them; 1: none")
      .at_least(0)
      .single_precision()
      .free_to_change();
  options
      .add("run.evaluate-inception", &evaluate_inception,
           "weights of FID's Inception network, which judges the samples' pictures; without it "
           "their latents are compared with the data set's")
      .absolute()
      .free_to_change();
  options
      .add("run.evaluate-reference", &evaluate_reference,
           "what edt evaluate reference wrote, or statistics in an .npz: what Inception's features "
           "are compared with, resized as that says")
      .absolute()
      .free_to_change();
  options
      .add("run.evaluate-share", &evaluate_share,
           "of the time since the start, that evaluation may take: one that would take more is "
           "left out; 1: none is")
      .above(0)
      .range(0, 1)
      .free_to_change();
}

}  // namespace edt
