#include "launcher/commands/table.h"

#include <array>

namespace edt {

std::span<const Command> command_table() {
  static constexpr std::array kCommands{
      Command{"train", "train a model, or go on where a run stopped", train, OnRanks::kAll},
      Command{"watch", "how training runs are doing: in the terminal, on a page, for scripts",
              watch},
      Command{"plan", "memory and time of training on a cluster that is not at hand", plan,
              OnRanks::kAll},
      Command{"sample", "make pictures or sequences from a checkpoint", sample, OnRanks::kAll},
      Command{"evaluate", "FID and its kin of pictures against a reference", evaluate,
              OnRanks::kAll},
      Command{"evaluate reference", "a reference for that: statistics and features of pictures",
              evaluate_reference, OnRanks::kAll},
      Command{"evaluate captions", "how far pictures show what their captions say",
              evaluate_captions},
      Command{"prune", "a smaller network of a trained run", prune, OnRanks::kAll},
      Command{"memory", "what a model knows by heart: loss floor, nearest samples", memory,
              OnRanks::kAll},
      Command{"ckpt info", "what the checkpoints of a run hold", ckpt_info},
      Command{"ckpt verify", "whether every byte of the checkpoints is intact", ckpt_verify},
      Command{"ckpt compare", "whether two checkpoints hold the same bits", ckpt_compare},
      Command{"ckpt ema", "averages of any length from those that a run has kept", ckpt_ema},
      Command{"ckpt export", "weights of a checkpoint as safetensors", ckpt_export},
      Command{"ckpt import", "a checkpoint from published weights", ckpt_import},
      Command{"bench comm", "collectives against the MPI library's own", bench_comm, OnRanks::kAll},
      Command{"bench data", "samples from shards against a plain read", bench_data},
      Command{"bench quality", "quality over time and FLOPs: EDT, MDTv2, DiT, SiT, LightningDiT",
              bench_quality, OnRanks::kAll},
      Command{"bench scale", "strong and weak scaling over ranks", bench_scale},
      Command{"bench step", "training steps against the machine's ceiling", bench_step,
              OnRanks::kAll},
      Command{"bench speedup", "EDT against MDTv2 and DiT on equal kernels", bench_speedup},
      Command{"bench ops", "every op alone against the machine's ceilings", bench_ops},
      Command{"bench sampling", "sampler steps against the machine's ceiling", bench_sampling},
      Command{"bench evaluate", "pictures judged per second by FID's Inception network",
              bench_evaluate},
      Command{"bench samplers", "fewer steps, other solvers and caches at equal cost",
              bench_samplers},
      Command{"bench ffn-reuse", "what reusing hidden units of MLPs would spare", bench_ffn_reuse},
      Command{"bench vae", "pictures encoded and decoded by an autoencoder", bench_vae},
      Command{"vae info", "what an autoencoder's weights are", vae_info},
      Command{"vae encode", "pictures to latents", vae_encode},
      Command{"vae decode", "latents to pictures", vae_decode},
      Command{"vae check", "how near pictures come back from an autoencoder", vae_check},
      Command{"tune", "the fastest algorithms of a model's products on a GPU, into a file", tune},
      Command{"data adopt", "attributes that a set of another program lacks", data_adopt},
      Command{"data encode", "pictures into latents, over any number of ranks", data_encode,
              OnRanks::kAll},
      Command{"data import", "encoded latents, or sequences, into shards", data_import},
      Command{"data info", "what a data set holds", data_info},
      Command{"data repack", "a data set in any storage, written anew to be read fast",
              data_repack},
      Command{"data synth", "a data set of synthetic pictures or sequences", data_synth},
      Command{"data verify", "reads a whole data set and checks it", data_verify},
      Command{"diff", "where two recorded runs that should agree part first", diff},
      Command{"doctor", "what this machine has, and what would fail on it", doctor, OnRanks::kAll},
      Command{"slurm", "the batch script of a run, written and submitted", slurm},
      Command{"help", "explains a command; completion for shells, manual pages", help},
  };
  return kCommands;
}

}  // namespace edt
