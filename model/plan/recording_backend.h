// A backend that computes nothing and records every kernel it is asked for.
#pragma once

#include <memory>

#include "model/plan/fake_memory.h"
#include "model/plan/recorder.h"

namespace edt {

class RecordingBackend : public Backend {
 public:
  FakeMemory& memory() override = 0;
};

std::unique_ptr<RecordingBackend> make_recording_backend(Recorder& recorder);

}  // namespace edt
