// A training run of which one rank freezes (SIGSTOP) when it enters a phase of its third step, from
// the thread that trains:  stalling_run DATA RUN RANK PHASE [fail]
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "launcher/train/trainer.h"
#include "launcher/world.h"
#include "tests/support/tiny_run.h"

int main(int, char** argv) {
  edt::World world;
  edt::Communicator& ranks = world.ranks();
  edt::TrainConfig config = edt::test::tiny_config(argv[1], argv[2]);
  config.train.steps = 1000000;
  config.run.checkpoint_every = 1;
  config.run.timeout = 1;
  config.run.start_timeout = 60;
  config.run.requeue_stalled = argv[5] == nullptr;
  edt::OptionSet options("train", "");
  edt::TrainConfig declared = config;
  declared.declare(options);
  edt::Trainer trainer(config, options.to_ini(), ranks);
  const std::string phase = argv[4];
  int seen = 0;
  if (ranks.rank() == std::atoi(argv[3])) {
    trainer.recorder().on_phase = [&](std::string_view entered) {
      if (entered != phase || ++seen != 3) return;
      // Long enough to be heard of: ranks say every tenth of the time-out where they are.
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      kill(getpid(), SIGSTOP);
    };
  }
  const edt::StopSignals signals;
  return trainer.run(true, signals);
}
