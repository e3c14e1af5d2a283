"""Layers as code, and what torch 2.13 prints for them; tests/torch_live compares with the installed one."""

TEXTS = {
    "Conv2d(1, 2, 3)": "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))",
    "Conv2d(4, 4, (3, 5), stride=2, padding=1, dilation=(1, 2), groups=2, bias=False, padding_mode='reflect')": (
        "Conv2d(4, 4, kernel_size=(3, 5), stride=(2, 2), padding=(1, 1), dilation=(1, 2), groups=2, bias=False, padding_mode=reflect)"
    ),
    "Conv2d(1, 2, [3, 5], padding='same')": "Conv2d(1, 2, kernel_size=(3, 5), stride=(1, 1), padding=same)",
    "Conv2d(1, 1, 3, padding='valid')": "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=valid)",
    "Conv2d(1, 1, 3, padding=(0, 1))": "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=(0, 1))",
    "ConvTranspose2d(2, 3, 2, stride=2)": "ConvTranspose2d(2, 3, kernel_size=(2, 2), stride=(2, 2))",
    "ConvTranspose2d(2, 4, 3, 2, 1, output_padding=1, groups=2, bias=False, dilation=(2, 1))": (
        "ConvTranspose2d(2, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(2, 1), output_padding=(1, 1), groups=2, "
        "bias=False)"
    ),
    "MaxPool2d(2)": "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
    "MaxPool2d((2, 3), stride=[1, 2], padding=1, dilation=2, return_indices=True, ceil_mode=True)": (
        "MaxPool2d(kernel_size=(2, 3), stride=[1, 2], padding=1, dilation=2, ceil_mode=True)"
    ),
    "AvgPool2d(2)": "AvgPool2d(kernel_size=2, stride=2, padding=0)",
    "AvgPool2d((2, 2), 1, 1, True, False, 3)": "AvgPool2d(kernel_size=(2, 2), stride=1, padding=1)",
    "ReLU()": "ReLU()",
    "ReLU(True)": "ReLU(inplace=True)",
    "Linear(3, 4)": "Linear(in_features=3, out_features=4, bias=True)",
    "Linear(3, 4, False)": "Linear(in_features=3, out_features=4, bias=False)",
    "Flatten()": "Flatten(start_dim=1, end_dim=-1)",
    "Flatten(0, 2)": "Flatten(start_dim=0, end_dim=2)",
    "Sequential()": "Sequential()",
    "Sequential(ReLU(), Sequential(Flatten(), Sequential()), Linear(2, 2))": (
        "Sequential(\n"
        "  (0): ReLU()\n"
        "  (1): Sequential(\n"
        "    (0): Flatten(start_dim=1, end_dim=-1)\n"
        "    (1): Sequential()\n"
        "  )\n"
        "  (2): Linear(in_features=2, out_features=2, bias=True)\n"
        ")"
    ),
}
