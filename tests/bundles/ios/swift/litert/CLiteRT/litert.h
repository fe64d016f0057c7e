// Functions of LiteRT's C library, 2.3, that its Swift package calls; written by hand.
#include <stddef.h>
#include <stdint.h>

typedef struct { uint32_t words[32]; } LiteRtRankedTensorType;  // as large as any version's

int LiteRtCreateEnvironment(int count, const void* options, void** environment);
int LiteRtCreateModelFromFile(void* environment, const char* path, void** model);
int LiteRtCreateOptions(void** options);
int LiteRtSetOptionsHardwareAccelerators(void* options, int accelerators);
int LiteRtCreateCompiledModel(void* environment, void* model, void* options, void** compiled);
int LiteRtGetModelSignature(void* model, size_t index, void** signature);
int LiteRtGetNumSignatureInputs(void* signature, size_t* count);
int LiteRtGetNumSignatureOutputs(void* signature, size_t* count);
int LiteRtGetSignatureInputName(void* signature, size_t index, const char** name);
int LiteRtGetSignatureOutputName(void* signature, size_t index, const char** name);
int LiteRtGetSignatureInputTensorByIndex(void* signature, size_t index, void** tensor);
int LiteRtGetSignatureOutputTensorByIndex(void* signature, size_t index, void** tensor);
int LiteRtGetRankedTensorType(void* tensor, LiteRtRankedTensorType* type);
int LiteRtGetCompiledModelInputBufferRequirements(
    void* compiled, size_t signature, size_t index, void** requirements);
int LiteRtGetCompiledModelOutputBufferRequirements(
    void* compiled, size_t signature, size_t index, void** requirements);
int LiteRtGetTensorBufferRequirementsBufferSize(void* requirements, size_t* size);
int LiteRtCreateManagedTensorBuffer(
    void* environment, int kind, const LiteRtRankedTensorType* type, size_t size, void** buffer);
int LiteRtGetTensorBufferPackedSize(void* buffer, size_t* size);
int LiteRtLockTensorBuffer(void* buffer, void** address, int mode);
int LiteRtUnlockTensorBuffer(void* buffer);
int LiteRtRunCompiledModel(
    void* compiled, size_t signature, size_t inputs, void** taken, size_t outputs, void** given);
