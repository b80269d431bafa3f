// Short trainings of tiny models, on any backend.
#pragma once

#include <gtest/gtest.h>

#include "model/families/model_config.h"
#include "model/training/engine.h"

namespace edt::test {

EdtConfig tiny_edt();
DitConfig tiny_dit();
DitConfig tiny_lightning_dit();
Mdtv2Config tiny_mdtv2();

struct Setting {
  int ranks = 1;
  ZeroConfig zero;
  DType dtype = DType::kFloat32;
  bool own_gpus = false;  // each rank has its own, so NCCL connects them
  int tensor_ranks = 1;
  ModelConfig model = tiny_edt();
  bool graphs = true;
  Recompute recompute = Recompute::kNone;
  int steps = 2;
  std::int64_t micro_batches = 8;  // of one sample, in a step
  std::function<void(TrainingEngine&, Backend&)> after_step = [](TrainingEngine&, Backend&) {};
};

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> average;
  int replays = 0;  // of micro-batches, on the first rank
};

Outcome train(Backend& backend, Communicator& data, const TensorGroup& tensor,
              const Setting& setting);
Outcome train_on_cpu(const Setting& setting);

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double tolerance);
void expect_same_bits(const Outcome& a, const Outcome& b);

}  // namespace edt::test
