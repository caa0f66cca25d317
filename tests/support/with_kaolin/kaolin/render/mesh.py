from kaolin.cuda_only import refuse

rasterize = refuse("rasterize")
