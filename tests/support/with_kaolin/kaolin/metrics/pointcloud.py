from kaolin.cuda_only import refuse

sided_distance, chamfer_distance, f_score = map(refuse, ("sided_distance", "chamfer_distance", "f_score"))
