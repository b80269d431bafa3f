// The command table. A new command is a file in this folder, a declaration here and a row in
// table.cpp.
#pragma once

#include <span>
#include <string>

#include "launcher/command.h"

namespace edt {

int bench_comm(std::span<const std::string> args, CommandContext& context);
int bench_data(std::span<const std::string> args, CommandContext& context);
int bench_evaluate(std::span<const std::string> args, CommandContext& context);
int bench_ops(std::span<const std::string> args, CommandContext& context);
int bench_models(std::span<const std::string> args, CommandContext& context);
int bench_quality(std::span<const std::string> args, CommandContext& context);
int bench_sampling(std::span<const std::string> args, CommandContext& context);
int bench_scale(std::span<const std::string> args, CommandContext& context);
int bench_speedup(std::span<const std::string> args, CommandContext& context);
int bench_step(std::span<const std::string> args, CommandContext& context);
int bench_samplers(std::span<const std::string> args, CommandContext& context);
int bench_ffn_reuse(std::span<const std::string> args, CommandContext& context);
int bench_ternary(std::span<const std::string> args, CommandContext& context);
int bench_vae(std::span<const std::string> args, CommandContext& context);
int ckpt_compare(std::span<const std::string> args, CommandContext& context);
int ckpt_ema(std::span<const std::string> args, CommandContext& context);
int ckpt_export(std::span<const std::string> args, CommandContext& context);
int ckpt_import(std::span<const std::string> args, CommandContext& context);
int ckpt_info(std::span<const std::string> args, CommandContext& context);
int ckpt_verify(std::span<const std::string> args, CommandContext& context);
int data_adopt(std::span<const std::string> args, CommandContext& context);
int data_encode(std::span<const std::string> args, CommandContext& context);
int data_import(std::span<const std::string> args, CommandContext& context);
int data_info(std::span<const std::string> args, CommandContext& context);
int data_repack(std::span<const std::string> args, CommandContext& context);
int data_synth(std::span<const std::string> args, CommandContext& context);
int data_verify(std::span<const std::string> args, CommandContext& context);
int diff(std::span<const std::string> args, CommandContext& context);
int doctor(std::span<const std::string> args, CommandContext& context);
int evaluate(std::span<const std::string> args, CommandContext& context);
int evaluate_captions(std::span<const std::string> args, CommandContext& context);
int evaluate_reference(std::span<const std::string> args, CommandContext& context);
int help(std::span<const std::string> args, CommandContext& context);
int memory(std::span<const std::string> args, CommandContext& context);
int plan(std::span<const std::string> args, CommandContext& context);
int prune(std::span<const std::string> args, CommandContext& context);
int sample(std::span<const std::string> args, CommandContext& context);
int slurm(std::span<const std::string> args, CommandContext& context);
int train(std::span<const std::string> args, CommandContext& context);
int tune(std::span<const std::string> args, CommandContext& context);
int vae_check(std::span<const std::string> args, CommandContext& context);
int vae_decode(std::span<const std::string> args, CommandContext& context);
int vae_encode(std::span<const std::string> args, CommandContext& context);
int vae_info(std::span<const std::string> args, CommandContext& context);
int watch(std::span<const std::string> args, CommandContext& context);

std::span<const Command> command_table();

}  // namespace edt
