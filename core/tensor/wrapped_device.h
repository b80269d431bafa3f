// A device that hands its work to another one, and looks on. Whoever needs the device itself, as
// what works on a GPU's stream does, asks for it.
#pragma once

#include "core/tensor/device.h"

namespace edt {

class WrappedDevice {
 public:
  virtual ~WrappedDevice() = default;
  virtual Device& wrapped() const = 0;
};

}  // namespace edt
