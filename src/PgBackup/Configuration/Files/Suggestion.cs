namespace PgBackup.Configuration.Files;

/// <summary>Finds what was probably meant.</summary>
internal static class Suggestion
{
    /// <summary>The known name nearest to what was written; null when none is near.</summary>
    public static string? For(string written, IEnumerable<string> known)
    {
        string? best = null;
        int least = Math.Max(2, written.Length / 3) + 1;
        if (written.Length > 64)
            return null;
        foreach (string name in known)
        {
            int distance = Distance(written.ToUpperInvariant(), name.ToUpperInvariant());
            // Half a name is a usual slip: endpoint for endpointUrl.
            if (distance >= least && written.Length >= 4 && name.StartsWith(written, StringComparison.OrdinalIgnoreCase))
                distance = least - 1;
            if (distance < least)
                (best, least) = (name, distance);
        }
        return best;
    }

    // Optimal string alignment: a letter more, less, other, or two swapped.
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
            cost[i, 0] = i;
        for (int j = 0; j <= b.Length; j++)
            cost[0, j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                cost[i, j] = Math.Min(Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1, cost[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }
        return cost[a.Length, b.Length];
    }
}
